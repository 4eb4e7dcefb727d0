"""Which router an endpoint should use: the whole rule, in one pure function.

An endpoint stays where it is unless its router can no longer be used, or another one
has been better by the threshold at a time when the hold since its last move is over.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from nrs.balancer.config import Algorithm

_ROUNDING = 1e-9


class Reason(Enum):
    """Why the router was chosen."""

    FIRST = "the endpoint's first decision: the best score"
    ROUTER_LOST = "the endpoint's router cannot be used any more: the best score of the rest"
    BETTER = "better than the endpoint's router by the threshold or more"
    BEST = "the endpoint's router has the best score"
    BELOW_THRESHOLD = "no other router is better by the threshold"
    HELD = "a better router has to wait for the hold time"


@dataclass(frozen=True)
class Held:
    """The router that an endpoint was last told to use, and the time of that move."""

    router_id: str
    since: float


class Choice(NamedTuple):
    """The router to use, since when, and why."""

    held: Held
    reason: Reason


def choose(
    present: Held | None, scores: Mapping[str, float], algorithm: Algorithm, now: float
) -> Choice:
    """Decide for one endpoint among the routers in `scores`, of which there is one or more.

    `scores` holds only routers that can be used; `present` is None on first asking.
    Of equal scores the present router wins, else the first by id.
    """
    best = min(scores, key=lambda router_id: (-scores[router_id], router_id))
    if present is None:
        return Choice(Held(best, now), Reason.FIRST)
    present_score = scores.get(present.router_id)
    if present_score is None:
        return Choice(Held(best, now), Reason.ROUTER_LOST)
    gain = scores[best] - present_score
    if gain <= 0:
        return Choice(present, Reason.BEST)
    if gain + _ROUNDING < algorithm.anti_flap_threshold:
        return Choice(present, Reason.BELOW_THRESHOLD)
    if now - present.since < algorithm.anti_flap_hold_time:
        return Choice(present, Reason.HELD)
    return Choice(Held(best, now), Reason.BETTER)
