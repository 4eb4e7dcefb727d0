"""Whether, and how far, a routing server may be used. Pure.

    status        when                                                 endpoints are sent there
    disabled      the operator says so                                 never
    inactive      no recent report                                     never
    ejected       it has been silent or contradictory lately           never
    egress_down   its last report says so                              if nothing below is left
    draining      its last report, or the operator, says so            if nothing below is left
    active        none of these                                        yes

The first line that holds counts. Leaving a router that may not be used any more is not limited by
the threshold or the hold time.

**Ejection.** Each one in short order lasts twice as long as the one before, and every quiet
`DECAY_S` takes one off again.

**Panic.** "Never" has an exception: while more than half of the routers are inactive or ejected,
the fault may be the load balancer's own, or its network's. Then nobody is ejected or moved away
from an inactive router, so that such a mistake does not empty the system.

**Slow start.** A new or returning router takes a growing share of what it would be given. Its lead
over the routers that are warm counts only in part, from none at first to all of it after `ramp`
seconds, so that nobody rushes to an idle router before its reports show what it bears.
"""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from enum import Enum

from nrs.api.messages import MetricsReport

LONGEST_EJECTION_S = 600.0
DECAY_S = 600.0
PANIC_SHARE = 0.5
UNUSABLE = 9
"""The rank of a router that is never used."""


class State(str, Enum):
    """What the operator has set for a routing server."""

    ACTIVE = "active"
    DRAINING = "draining"
    DISABLED = "disabled"


class Status(str, Enum):
    """What the load balancer makes of it."""

    ACTIVE = "active"
    DRAINING = "draining"
    EGRESS_DOWN = "egress_down"
    EJECTED = "ejected"
    INACTIVE = "inactive"
    DISABLED = "disabled"


_RANKS = {Status.ACTIVE: 0, Status.DRAINING: 1, Status.EGRESS_DOWN: 2}


@dataclass(frozen=True)
class Standing:
    """A router's status, and why it is not active."""

    status: Status
    reason: str | None = None

    @property
    def rank(self) -> int:
        """The routers of the lowest rank there is are used, and none that is UNUSABLE."""
        return _RANKS.get(self.status, UNUSABLE)


def standing(
    report: MetricsReport,
    state: State,
    *,
    silent_s: float,
    fresh: bool,
    ejected: str | None = None,
) -> Standing:
    """Judge a router by its last report, which is `silent_s` seconds old, `fresh` or not.

    `ejected` says why it is left out for a while, None where it is not.
    """
    if state is State.DISABLED:
        return Standing(Status.DISABLED, "disabled at this load balancer")
    if not fresh:
        return Standing(Status.INACTIVE, f"no report for {silent_s:.0f} s")
    if ejected is not None:
        return Standing(Status.EJECTED, ejected)
    if not report.egress_up:
        return Standing(Status.EGRESS_DOWN, "it reports that its egress is down")
    if report.draining:
        return Standing(Status.DRAINING, "it reports that it is being drained")
    if state is State.DRAINING:
        return Standing(Status.DRAINING, "drained at this load balancer")
    return Standing(Status.ACTIVE)


@dataclass(frozen=True)
class Ejection:
    """The last ejection of a router: which in a row, from when, until when, and why."""

    count: int
    at: float
    until: float
    reason: str

    def holds(self, now: float) -> bool:
        """Whether the router is still out."""
        return now < self.until


def eject(before: Ejection | None, now: float, base: float, reason: str) -> Ejection:
    """Eject a router at `now`; the first time for `base` seconds."""
    count = 1
    if before is not None:
        quiet = max(now - before.until, 0.0)
        count += max(before.count - int(quiet / DECAY_S), 0)
    length = min(base * 2.0 ** min(count - 1, 32), max(LONGEST_EJECTION_S, base))
    return Ejection(count, now, now + length, reason)


def panics(out: int, known: int) -> bool:
    """Whether too many of the `known` routers that are not disabled would be out."""
    return out > PANIC_SHARE * known


def handicap(score: float, warm: float, age: float, ramp: float) -> float:
    """What to take off `score` `age` seconds after the router's start, for the slow start.

    The warm routers score `warm` in the mean.
    """
    part = 1.0 if age >= ramp else max(age, 0.0) / ramp
    return (1.0 - part) * max(score - warm, 0.0)


class Changes:
    """Which routers' status is another than when it was last looked at."""

    def __init__(self) -> None:
        self._seen: dict[str, Status] = {}

    def note(self, router_id: str, standing: Standing) -> bool:
        """Look at a router; whether its status is another, or the first."""
        if self._seen.get(router_id) is standing.status:
            return False
        self._seen[router_id] = standing.status
        return True

    def forget_others(self, known: Container[str]) -> None:
        """Of routers that are not known any more nothing is remembered."""
        self._seen = {name: status for name, status in self._seen.items() if name in known}
