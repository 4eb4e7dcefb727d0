"""Whether a routing server can still bring packets to the business server. Pure.

Two things speak against it. What the kernel says of the egress interface counts at once,
both ways (`EgressLink`). What the business server answers has a small state machine, which a tick
drives every `check_interval`; an answer counts for the tick after it, whichever echo it
belongs to, so that a round trip longer than the interval is not a miss.

    state        event                                   next state
    UNCHECKED    any; there is no check_ip               UNCHECKED
    REACHABLE    `check_misses` ticks in a row silent    UNREACHABLE
    REACHABLE    the link is not ready                   UNREACHABLE
    UNREACHABLE  ANSWERS ticks in a row answered         REACHABLE

It begins as REACHABLE: a router that is started again while tunnels use it must not send
everybody away before the first echo is back. A link that was lost has to prove itself: a
switch port may take half a minute to forward after its carrier is back.
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import Enum

from nrs.router.config import Egress
from nrs.router.delivery import Echoes
from nrs.router.egress_link import EgressLink, Link
from nrs.system.link_changes import Event

ANSWERS = 2
"""Ticks in a row with an answer until an unreachable server counts as reachable."""


class Reach(Enum):
    """What the echoes say of the business server."""

    UNCHECKED = "unchecked"
    REACHABLE = "reachable"
    UNREACHABLE = "unreachable"


class EgressHealth:
    """The states above, of one interface; ticks are its only clock."""

    def __init__(self, interface: str, check: Egress, told: Iterable[Event]) -> None:
        """`told` is what the kernel says of its links at first."""
        self._echoes = Echoes()
        self._begin_link(interface, told)
        self._begin_check(check, Reach.REACHABLE)

    def _begin_link(self, interface: str, told: Iterable[Event]) -> None:
        self._interface = interface
        self._link = EgressLink(interface)
        for event in told:
            self._link.take(event)
        self._carrier = True

    def _begin_check(self, check: Egress, reach: Reach) -> None:
        self._check = check
        self._reach = Reach.UNCHECKED if check.check_ip is None else reach
        self._against = 0
        """Ticks in a row that speak against the present `_reach`."""
        self._answered = False
        self._look()

    @property
    def index(self) -> int | None:
        """The interface's index, or None while there is none of that name."""
        return self._link.index

    @property
    def link(self) -> Link:
        """How the interface is, by what the kernel has told and what it said when asked."""
        told = self._link.state
        return Link.NO_CARRIER if told is Link.READY and not self._carrier else told

    @property
    def reach(self) -> Reach:
        """What the echoes say."""
        return self._reach

    @property
    def up(self) -> bool:
        """Whether packets get through, as far as is known."""
        return self.link is Link.READY and self._reach is not Reach.UNREACHABLE

    @property
    def reason(self) -> str | None:
        """What is wrong, or None."""
        if self.up:
            return None
        if self.link is not Link.READY:
            return f"{self._interface} {self.link.value}"
        return f"{self._check.check_ip} does not answer through {self._interface}"

    @property
    def echoes(self) -> Echoes | None:
        """Those to the business server; None where nobody is asked."""
        return None if self._check.check_ip is None else self._echoes

    # What follows may change `up`.

    def handle_link(self, event: Event) -> None:
        """The kernel tells of a link."""
        self._link.take(event)
        self._look()

    def handle_carrier(self, carrier: bool) -> None:
        """The kernel was asked whether the interface has a carrier."""
        self._carrier = carrier
        self._look()

    def handle_answer(self, number: int) -> None:
        """The echo of this number, perhaps others before it, is answered."""
        self._answered = True
        self._echoes = Echoes(self._echoes.asked, max(self._echoes.answered, number))

    def handle_config(self, interface: str, check: Egress, told: Iterable[Event]) -> None:
        """Watch as stated from now on; `told` is of no use where the interface is the same."""
        unreachable = self._reach is Reach.UNREACHABLE
        same = (interface, check.check_ip) == (self._interface, self._check.check_ip)
        if interface != self._interface:
            self._begin_link(interface, told)
        # Another interval does not make the business server answer.
        self._begin_check(check, Reach.UNREACHABLE if same and unreachable else Reach.REACHABLE)

    def tick(self) -> None:
        """A check interval is over."""
        answered, self._answered = self._answered, False
        if self._reach is Reach.REACHABLE:
            self._count(not answered, self._check.check_misses, Reach.UNREACHABLE)
        elif self._reach is Reach.UNREACHABLE:
            self._count(answered, ANSWERS, Reach.REACHABLE)

    def ask(self) -> int | None:
        """The number of the echo that is to be sent now; None where the link would not take it."""
        if self.link is not Link.READY:
            return None
        self._echoes = Echoes(self._echoes.asked + 1, self._echoes.answered)
        return self._echoes.asked

    def _look(self) -> None:
        if self.link is not Link.READY and self._reach is Reach.REACHABLE:
            self._reach, self._against = Reach.UNREACHABLE, 0

    def _count(self, against: bool, most: int, other: Reach) -> None:
        self._against = self._against + 1 if against else 0
        if self._against >= most:
            self._reach, self._against = other, 0
