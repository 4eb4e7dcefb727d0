"""Which tunnel carries the endpoint's traffic. Pure: views of the tunnels in, a choice out.

The endpoint alone decides about life and death; the load balancer's advice only
ranks what lives. A tunnel that has failed is not chosen by advice again before it
has been up for the hold-down.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from nrs.endpoint.liveness import State

HOLD_DOWN_S = 10.0


@dataclass(frozen=True)
class View:
    """What is known of one tunnel."""

    router_id: str
    state: State
    since: float
    failures: int = 0
    srtt: float | None = None


@dataclass(frozen=True)
class Choice:
    """The tunnel to use from now on, and why."""

    router_id: str
    cause: str


def choose(
    views: Sequence[View], active: str | None, advised: str | None, now: float
) -> Choice | None:
    """A better tunnel than `active`, or None to stay.

    With no tunnel up the present one is kept: the first to answer wins by coming up.
    """
    by_id = {view.router_id: view for view in views}
    present = by_id.get(active) if active is not None else None
    if present is not None and present.state is State.UP:
        wanted = by_id.get(advised) if advised is not None else None
        if wanted is None or wanted is present or not _may_return(wanted, now):
            return None
        return Choice(wanted.router_id, "load balancer's advice")
    alive = [view for view in views if view.state is State.UP]
    if not alive:
        return None
    best = min(
        alive,
        key=lambda view: (
            not _may_return(view, now),
            view.router_id != advised,
            view.srtt if view.srtt is not None else float("inf"),
        ),
    )
    cause = "first tunnel" if present is None else f"{present.router_id} is {present.state.value}"
    return Choice(best.router_id, cause)


def _may_return(view: View, now: float) -> bool:
    return view.state is State.UP and (view.failures == 0 or now - view.since >= HOLD_DOWN_S)
