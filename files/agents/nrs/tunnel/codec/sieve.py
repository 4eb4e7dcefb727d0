"""What a router receives from strangers: junk is dropped before anybody looks at it.

It asks of a HELLO only whether a held key proves it, at the cost of a few hashes; what it says
and whether its key mode is allowed is for `handshake.Responder`. It keeps nothing of a sender.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from nrs.tunnel.codec.carrier import Intake_contra
from nrs.tunnel.udp_socket import SocketAddress, UdpSocket


class Sieved(IntEnum):
    """Why `Sieve.receive` has returned."""

    ERROR = -1
    """Of an earlier datagram."""
    NOTHING = 0
    """Nothing is left."""
    WORTH = 1
    """The Intake holds a train with something to be looked at."""
    SPENT = 2
    """As many datagrams were looked at as may be: more may wait."""


@dataclass
class Sifted:
    """Datagrams since the start: all, and those that were dropped."""

    datagrams: int = 0
    malformed: int = 0
    tag: int = 0
    """HELLOs that no held key proves."""
    no_session: int = 0
    rate: int = 0
    """From elsewhere than their session's peer, after too many that were wrong or old."""


class Sieve(Protocol[Intake_contra]):
    """Receives from strangers, for a router; it takes objects of its own codec only."""

    def hold(self, masters: Mapping[int, bytes]) -> None:
        """The PSKs or master keys by key id that prove HELLOs from now on, in either key mode."""

    def know(self, index: int) -> None:
        """Datagrams of this session pass from now on, but for HELLOs. Raises MemoryError."""

    def part(self, index: int) -> None:
        """They do not any more."""

    def allow(self, answers: int, wrong: int) -> None:
        """From now on the first datagram of an unknown session passes from so many trains.

        And so many datagrams with wrong tags or old numbers may come from elsewhere than a
        session's peer before all from elsewhere are dropped unopened.
        """

    def receive(self, socket: UdpSocket, intake: Intake_contra, most: int) -> int:
        """Receive trains until one holds something to be looked at; a `Sieved`.

        At most `most`, one of HELLOs for as many as it has; the train that uses them up is sifted.
        """

    def receive_known(self, socket: UdpSocket, intake: Intake_contra, most: int) -> int:
        """The same of a socket for sessions: a train that begins with one of a session passes.

        It is not sifted, and nothing of it is in `worth`.
        """

    def sift(self, intake: Intake_contra, start: int) -> list[int]:
        """Of the train in the intake from byte `start` on: where those to be looked at begin.

        The others are counted as dropped.
        """

    @property
    def worth(self) -> list[int]:
        """Where the datagrams to be looked at begin in the train; the others are dropped."""

    @property
    def wrong_peer(self) -> SocketAddress:
        """Who has sent the last HELLO that no held key proves."""

    @property
    def sifted(self) -> Sifted:
        """What was received and dropped so far."""
