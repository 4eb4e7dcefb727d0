"""Whether a routing server can still bring packets to the business server.

Two things speak against it. What the kernel says of the egress interface counts at once,
both ways (`Link`). What the business server answers has a small state machine, which a tick
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

from enum import Enum

ANSWERS = 2
"""Ticks in a row with an answer until an unreachable server counts as reachable."""


class Link(Enum):
    """How the egress interface is; the value completes `eth1 ...`."""

    READY = "is ready"
    MISSING = "is not there"
    DOWN = "is down"
    NO_CARRIER = "has no carrier"
    NO_ADDRESS = "has lost its addresses"


class Reach(Enum):
    """What the echoes say of the business server."""

    UNCHECKED = "unchecked"
    REACHABLE = "reachable"
    UNREACHABLE = "unreachable"


class EgressHealth:
    """The states above; ticks are its only clock."""

    def __init__(self, *, checked: bool, misses: int) -> None:
        self.link = Link.READY
        self.reach = Reach.REACHABLE if checked else Reach.UNCHECKED
        self._misses = misses
        self._against = 0
        """Ticks in a row that speak against the present `reach`."""

    @property
    def up(self) -> bool:
        """Whether packets get through, as far as is known."""
        return self.link is Link.READY and self.reach is not Reach.UNREACHABLE

    def set_link(self, link: Link) -> bool:
        """Take what the kernel says; whether `up` changed."""
        before = self.up
        self.link = link
        if link is not Link.READY and self.reach is Reach.REACHABLE:
            self.reach, self._against = Reach.UNREACHABLE, 0
        return self.up != before

    def tick(self, answered: bool) -> bool:
        """A check interval is over, with an answer in it or none; whether `up` changed."""
        before = self.up
        if self.reach is Reach.REACHABLE:
            self._count(not answered, self._misses, Reach.UNREACHABLE)
        elif self.reach is Reach.UNREACHABLE:
            self._count(answered, ANSWERS, Reach.REACHABLE)
        return self.up != before

    def _count(self, against: bool, most: int, other: Reach) -> None:
        self._against = self._against + 1 if against else 0
        if self._against >= most:
            self.reach, self._against = other, 0
