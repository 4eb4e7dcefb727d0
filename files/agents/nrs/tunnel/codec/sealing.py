"""The two ends of a session as a codec has them: what seals datagrams, and what opens them.

What an object is given `memory` for is kept there and nowhere else, for whoever maps the same
memory after this process: both codecs write the same. Memory that is all zero is a session
that has carried nothing yet. It has to stay mapped as long as the object is used.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Protocol

from nrs.tunnel.wire import Type

COUNTER_BYTES = 8
"""Memory of a Sealer: the number of its last datagram, in host order.

It is written for all datagrams of a call before the first is sealed: whoever goes on from there
after a kill at any moment uses no number twice, which no AEAD would forgive.
"""


class Check(IntEnum):
    """Which address of a packet out of a tunnel has to be the session's own."""

    SOURCE = 0
    DESTINATION = 1


class Sealer(Protocol):
    """Seals what one lane of a session sends."""

    peer_index: int
    """The session's index at its receiver."""

    @property
    def sequence(self) -> int:
        """The number of the last datagram sealed."""

    def limit(self, body: int, *, settled: bool) -> None:
        """No body of packets is longer than `body` bytes from now on.

        At first it is the cipher's `safe_body`.

        Where that is `settled`, packets whose sender can be told that they are too long are
        refused; else they are split, like all that may not be.
        """

    def control(self, kind: Type, body: bytes = b"", *, flags: int = 0, specific: int = 0) -> bytes:
        """One control datagram."""


class Opener(Protocol):
    """Verifies and opens what one session receives."""

    def highest(self, lane: int) -> int:
        """The highest sequence number received on the lane."""

    def received(self, lane: int) -> int:
        """Datagrams received on the lane."""
