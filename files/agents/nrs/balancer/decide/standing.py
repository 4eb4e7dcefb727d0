"""Whether a routing server may be used: what it reports, and what the operator has set. Pure.

    status        when                                                 endpoints are sent there
    disabled      the operator says so                                 never
    inactive      no recent report                                     never
    ejected       it has been silent or contradictory lately           never
    egress_down   its last report says so                              if nothing below is left
    draining      its last report, or the operator, says so            if nothing below is left
    active        none of these                                        yes

The first line that holds counts. Leaving a router that may not be used any more is not limited by
the threshold or the hold time.

"Never" has an exception: while more than half of the routers are inactive or ejected, the fault may
be the load balancer's own. Then nobody is ejected or moved away from an inactive router.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from nrs.api.messages import MetricsReport


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


RANK = {Status.ACTIVE: 0, Status.DRAINING: 1, Status.EGRESS_DOWN: 2}
"""The routers of the lowest rank there is are used; a status without a rank never is."""


@dataclass(frozen=True)
class Standing:
    """A router's status, and why it is not active."""

    status: Status
    reason: str | None = None


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
