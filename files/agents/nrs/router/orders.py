"""What the router's decisions want done, beside what all who decide about sessions want."""

from __future__ import annotations

from dataclasses import dataclass

from nrs.system.route import Prefix
from nrs.tunnel.orders import ForSession, OpenSession, Refuse, SendControl, Tell


@dataclass(frozen=True, slots=True)
class Answer:
    """Send a datagram to where the one that is being handled came from."""

    datagram: bytes


@dataclass(frozen=True, slots=True)
class AddRoutes:
    """Have the host send packets to these addresses and networks into the TUN device."""

    prefixes: tuple[Prefix, ...]


@dataclass(frozen=True, slots=True)
class RemoveRoutes:
    """Have it do so no longer."""

    prefixes: tuple[Prefix, ...]


@dataclass(frozen=True, slots=True)
class JoinAt:
    """Let the kernel join what arrives at a port, or not."""

    port: int
    allowed: bool


@dataclass(frozen=True, slots=True)
class Announce:
    """Call `RouterMachine.announce_next`, a few times in each turn, until all have been told."""


@dataclass(frozen=True, slots=True)
class AskHolders:
    """Call `RouterMachine.ask_holders` at this time of the loop's clock."""

    when: float


@dataclass(frozen=True, slots=True)
class AskCandidates:
    """Call `RouterMachine.ask_candidates` at this time of the loop's clock."""

    when: float


@dataclass(frozen=True, slots=True)
class Report:
    """Have the load balancers told at once."""


Order = (
    ForSession
    | SendControl
    | JoinAt
    | OpenSession
    | Answer
    | AddRoutes
    | RemoveRoutes
    | Announce
    | AskHolders
    | AskCandidates
    | Report
    | Refuse
    | Tell
)
