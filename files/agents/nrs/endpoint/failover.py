"""Which tunnel carries the endpoint's traffic. Pure: views of the tunnels in, a choice out.

The endpoint alone decides about life and death; the load balancer's advice only ranks
what is well. Tunnels stand in this order, and traffic moves as soon as the one in use is
no better than FLAPPED and another stands above it:

    GOOD      answers, and has been well for its hold-down
    FLAPPED   answers, but has failed lately: used, not returned to by advice
    DEGRADED  answers, but loses or delays more than another one
    DRAINING  its router is about to leave, or to be silent for a moment
    USELESS   answers, but its router has no way on
    SILENT    does not answer, or has no session

A degraded tunnel is only left for one of which loss and delay are known, and better: what is
not known of a tunnel is no merit. No list of bad tunnels is for ever: where all are bad the
least bad one is used. With every tunnel silent the present one is kept, and the first to answer
wins by coming up; so it does while the one that traffic has fled to has not answered either.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum, IntEnum

from nrs.endpoint.liveness import State
from nrs.endpoint.quality import Measure


class Standing(IntEnum):
    """See the module's picture; less is better."""

    GOOD = 0
    FLAPPED = 1
    DEGRADED = 2
    DRAINING = 3
    USELESS = 4
    SILENT = 5


class Move(Enum):
    """What a choice means for the flows that exist."""

    PLANNED = "planned"
    """They stay where they began."""
    DEGRADED = "degraded"
    """TCP stays, which a new address would break; the rest goes along."""
    FAILURE = "failure"
    """All go at once."""


@dataclass(frozen=True)
class View:
    """What is known of one tunnel; times in seconds of one clock."""

    router_id: str
    state: State
    well_since: float
    """Since when it has been up with a router of use."""
    answered: float
    """When a probe was last answered."""
    hold_s: float = 0.0
    measure: Measure = field(default=Measure())
    degraded: bool = False
    draining: bool = False
    egress_up: bool = True
    restarting: bool = False
    revoked: bool = False

    def standing(self, now: float) -> Standing:
        """Where it stands at `now`."""
        if self.state is not State.UP:
            return Standing.SILENT
        if not self.egress_up:
            return Standing.USELESS
        if self.draining or self.restarting:
            return Standing.DRAINING
        if self.degraded:
            return Standing.DEGRADED
        if now - self.well_since < self.hold_s:
            return Standing.FLAPPED
        return Standing.GOOD


@dataclass(frozen=True)
class Choice:
    """The tunnel to use from now on, why, and why no other."""

    router_id: str
    cause: str
    move: Move
    rejected: Mapping[str, str] = field(default_factory=dict)


def choose(
    views: Sequence[View],
    active: str | None,
    advised: str | None,
    now: float,
    *,
    fled_at: float | None = None,
) -> Choice | None:
    """A better tunnel than `active`, or None to stay.

    `fled_at` is when a failure has moved traffic to `active`, None where it came otherwise.
    """
    standings = {view.router_id: view.standing(now) for view in views}
    by_id = {view.router_id: view for view in views}
    present = by_id.get(active) if active is not None else None

    def rank(view: View) -> tuple[bool | float, ...]:
        delay = view.measure.delay if view.measure.delay is not None else float("inf")
        return standings[view.router_id], view.router_id != advised, delay

    if present is not None and fled_at is not None and present.answered <= fled_at:
        quicker = [
            view
            for view in views
            if view.answered > fled_at and standings[view.router_id] < Standing.USELESS
        ]
        if quicker:
            best = min(quicker, key=rank)
            cause = f"{best.router_id} answered before {present.router_id} did"
            return Choice(best.router_id, cause, Move.FAILURE, _rejected(best, present, views, now))
    if present is not None and standings[present.router_id] <= Standing.FLAPPED:
        wanted = by_id.get(advised) if advised is not None else None
        if wanted is None or wanted is present or standings[wanted.router_id] > Standing.GOOD:
            return None
        rejected = _rejected(wanted, present, views, now)
        return Choice(wanted.router_id, "load balancer's advice", Move.PLANNED, rejected)
    candidates = views
    if present is not None and standings[present.router_id] is Standing.DEGRADED:
        candidates = [view for view in views if view.measure.beats(present.measure)]
    best_of_all = min(candidates, key=rank, default=None)
    if best_of_all is None or standings[best_of_all.router_id] is Standing.SILENT:
        return None
    rejected = _rejected(best_of_all, present, views, now)
    if present is None:
        return Choice(best_of_all.router_id, "first tunnel", Move.PLANNED, rejected)
    if standings[best_of_all.router_id] >= standings[present.router_id]:
        return None
    cause, move = _CAUSES[standings[present.router_id]]
    if present.revoked:
        cause = "{} is revoked"
    elif present.state is State.CONNECTING:
        cause = "{} has closed its tunnel"
    elif cause is _DRAINING and not present.draining:
        cause = "{} is being restarted"
    elif cause is _USELESS and present.draining:
        cause = "{} is draining, and has no way on"
    return Choice(best_of_all.router_id, cause.format(present.router_id), move, rejected)


_DRAINING = "{} is draining"
_USELESS = "{} has no way on: its egress is down"
_CAUSES = {
    Standing.DEGRADED: ("{} loses or delays too much", Move.DEGRADED),
    Standing.DRAINING: (_DRAINING, Move.PLANNED),
    Standing.USELESS: (_USELESS, Move.FAILURE),
    Standing.SILENT: ("{} does not answer", Move.FAILURE),
}
_REASONS = {
    Standing.FLAPPED: "it has failed lately",
    Standing.DEGRADED: "it loses or delays too much",
    Standing.DRAINING: "it is draining",
    Standing.USELESS: "its egress is down",
}


def _rejected(chosen: View, left: View | None, views: Sequence[View], now: float) -> dict[str, str]:
    """Why the others were not taken; why `left` is left is the cause of it all."""
    reasons = {}
    for view in views:
        if view is chosen or view is left:
            continue
        standing = view.standing(now)
        unknown = view.measure.loss is None or view.measure.delay is None
        degraded = left is not None and left.standing(now) is Standing.DEGRADED
        if view.revoked:
            reasons[view.router_id] = "it is revoked"
        elif standing is Standing.SILENT:
            reasons[view.router_id] = f"it is {view.state.value}"
        elif standing is Standing.DRAINING and not view.draining:
            reasons[view.router_id] = "it is being restarted"
        elif standing is Standing.USELESS and view.draining:
            reasons[view.router_id] = _REASONS[Standing.DRAINING]
        elif standing <= Standing.FLAPPED and degraded and unknown:
            reasons[view.router_id] = "what it loses is not known"
        else:
            reasons[view.router_id] = _REASONS.get(standing, "it is no better")
    return reasons
