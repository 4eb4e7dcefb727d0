"""What strangers send to a router: a few datagrams a turn of the loop are looked at.

A sieve drops the most, whichever socket they come to; the kernel lets them wait apart from what
sessions bring, but for those of who guesses how the router's session indices begin.
"""

from __future__ import annotations

from typing import Any

from nrs.tunnel.codec.carrier import Intake
from nrs.tunnel.codec.sieve import Sieve, Sieved, Sifted
from nrs.tunnel.udp_socket import UdpSocket

_LOOKED_AT, PAUSE_S = 64, 0.001
"""Trains, or HELLOs, in a turn, some 0.1 ms of the C codec's; others have the processor then."""
HANDLED = 8
"""Of a train, how many strangers' datagrams go further: the dearest is a handshake, of 0.2 ms."""
_ANSWERED, _WRONG, _AGAIN_S = 100, 1000, 0.1
"""Trains of unknown sessions that may be answered in so many seconds; wrong tags from elsewhere."""


class Strays:
    """Reads sockets through a sieve."""

    def __init__(self, sieve: Sieve[Any]) -> None:
        self.sieve = sieve
        self._allow_at = 0.0
        self.spent = False
        """Whether all that was read last was junk, and more waits."""
        self.left_out = 0
        """Datagrams that were too many of their train."""

    def read(self, socket: UdpSocket, intake: Intake, now: float) -> list[int]:
        """Of a socket for strangers: where in the intake those begin that are to be handled."""
        self._allow(now)
        found = self.sieve.receive(socket, intake, _LOOKED_AT)
        self.spent = found == Sieved.SPENT
        return self.sieve.worth if found == Sieved.WORTH else []

    def read_known(self, socket: UdpSocket, intake: Intake, now: float) -> int:
        """Of a socket for sessions; as `Sieve.receive_known`."""
        self._allow(now)
        return self.sieve.receive_known(socket, intake, _LOOKED_AT)

    def rest(self, intake: Intake, start: int) -> list[int]:
        """Of a train that holds a stranger's datagram at `start`: those to be handled.

        One that begins with it was sifted when it was received, if its session is not just gone.
        """
        sifted = [] if start else self.sieve.worth
        return sifted or self.sieve.sift(intake, start)

    @property
    def sifted(self) -> Sifted:
        """What was received and dropped so far."""
        return self.sieve.sifted

    def _allow(self, now: float) -> None:
        if now >= self._allow_at:
            self._allow_at = now + _AGAIN_S
            self.sieve.allow(_ANSWERED, _WRONG)
