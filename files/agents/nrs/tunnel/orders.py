"""What those who decide about sessions want done: plain values that a shell carries out.

Sessions are named by their local index, which both ends of the packet path know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from nrs.tunnel.drop import Drop
from nrs.tunnel.handshake import StaticKey
from nrs.tunnel.record import Record
from nrs.tunnel.wire import Type


class SentFrames(Protocol):
    """Keeps what a session sends until it is known to have arrived."""

    def keep(self, sequence: int, frames: list[bytes], now: float) -> None:
        """`frames` have left in datagrams up to number `sequence`."""


@dataclass(frozen=True, slots=True)
class OpenSession:
    """Carry packets of a new session; what it sends is told to `sent` as well."""

    record: Record
    key: StaticKey
    """The configured key of this end that opened it."""
    sent: SentFrames | None = None


@dataclass(frozen=True, slots=True)
class CloseSession:
    """Forget a session, for good."""

    index: int


@dataclass(frozen=True, slots=True)
class NoteSession:
    """Take down for a later process how far a session has come; `since` in seconds since 1970."""

    index: int
    active: bool = False
    since: float = 0.0


@dataclass(frozen=True, slots=True)
class SendControl:
    """Send a control datagram through a session, ahead of packets."""

    index: int
    kind: Type
    body: bytes = b""
    flags: int = 0
    specific: int = 0
    whole: bool = False
    """Nobody may cut the datagram on the way; one that this host cannot send whole is not sent."""
    challenge: bool = False
    """It goes to the candidate for the session's path, and nowhere else."""


@dataclass(frozen=True, slots=True)
class LimitDatagrams:
    """Send datagrams of at most `longest` bytes through a session from now on.

    `settled`: packets that are too long may be refused, where their sender can be told.
    """

    index: int
    longest: int
    settled: bool


@dataclass(frozen=True, slots=True)
class SendTrain:
    """Send datagrams of equal length in one send, whatever `SendTogether` has said."""

    datagrams: tuple[SendControl, ...]


@dataclass(frozen=True, slots=True)
class SendTogether:
    """Send what goes through a session in trains, or each datagram by itself."""

    index: int
    allowed: bool


@dataclass(frozen=True, slots=True)
class TakeCandidate:
    """Send along a session's candidate path from now on: its peer is there."""

    index: int


@dataclass(frozen=True, slots=True)
class DropCandidate:
    """Send along the path that was there before."""

    index: int


@dataclass(frozen=True, slots=True)
class DoubtPath:
    """Send nothing through a session until something authentic has come."""

    index: int


@dataclass(frozen=True, slots=True)
class Refuse:
    """Count the datagram that was being handled as dropped."""

    reason: Drop


@dataclass(frozen=True, slots=True)
class Tell:
    """Write a line to the log, at a level of `logging`."""

    level: int
    text: str


ForSession = (
    CloseSession
    | LimitDatagrams
    | NoteSession
    | SendTogether
    | SendTrain
    | TakeCandidate
    | DropCandidate
    | DoubtPath
)
"""What `Engine.carry_out` does; the rest is for a shell, which knows sockets and its machine."""
