"""What a router receives from strangers: junk is dropped before anybody looks at it.

It asks of a HELLO only whether a held key proves it, at the cost of a few hashes; what it says
and whether its key mode is allowed is for `handshake.Responder`. It keeps nothing of a sender.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum
from typing import Protocol

from nrs.tunnel.codec.carrier import Intake_contra
from nrs.tunnel.udp_socket import UdpSocket


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


class Sieve(Protocol[Intake_contra]):
    """Receives from strangers, for a router; it takes objects of its own codec only."""

    def hold(self, masters: Mapping[int, bytes]) -> None:
        """The PSKs or master keys by key id that prove HELLOs from now on, in either key mode."""

    def know(self, indices: Iterable[int]) -> None:
        """The sessions whose datagrams pass from now on, but for HELLOs."""

    def answer(self, most: int) -> None:
        """From so many trains the first datagram of an unknown session passes."""

    def receive(self, socket: UdpSocket, intake: Intake_contra, most: int) -> int:
        """Receive trains until one holds something to be looked at; a `Sieved`.

        At most `most` datagrams, but for the rest of the train that uses them up.
        """

    @property
    def worth(self) -> list[int]:
        """Where the datagrams to be looked at begin in the train; the others are dropped."""

    @property
    def sifted(self) -> Sifted:
        """What was received and dropped so far."""
