from __future__ import annotations

import pytest

from nrs.endpoint.failover import HOLD_DOWN_S, View, choose
from nrs.endpoint.liveness import State

NOW = 1000.0
UP, SUSPECT, DOWN, CONNECTING = State.UP, State.SUSPECT, State.DOWN, State.CONNECTING


def view(
    router_id: str,
    state: State = UP,
    *,
    failures: int = 0,
    up_for: float = 500.0,
    srtt: float | None = 0.010,
) -> View:
    return View(router_id, state, NOW - up_for, failures, srtt)


A, B, C = view("a"), view("b"), view("c")
FLAPPED = {"failures": 1, "up_for": HOLD_DOWN_S - 0.1}
SETTLED = {"failures": 3, "up_for": HOLD_DOWN_S}

CASES = {
    # name: (views, active, advised, chosen)
    "nothing is up at the start": ([view("a", CONNECTING), view("b", CONNECTING)], None, None, ""),
    "nothing is up, one is advised": ([view("a", CONNECTING)], None, "a", ""),
    "no tunnels": ([], None, None, ""),
    "the first to come up": ([view("a", CONNECTING), B], None, None, "b"),
    "the first to come up, another advised": ([view("a", CONNECTING), B], None, "a", "b"),
    "the advised one of two at the start": ([A, B], None, "b", "b"),
    "the nearer one of two at the start": ([A, view("b", srtt=0.002)], None, None, "b"),
    "one without a round trip comes last": ([view("a", srtt=None), B], None, None, "b"),
    "a tie is settled by the order of the file": ([A, B], None, None, "a"),
    "no advice: stay": ([A, B], "a", None, ""),
    "no advice: stay although the other is nearer": ([A, view("b", srtt=0.001)], "a", None, ""),
    "advice to stay": ([A, B], "a", "a", ""),
    "advice to move": ([A, B], "a", "b", "b"),
    "advice to a stranger": ([A, B], "a", "z", ""),
    "advice to one that is suspect": ([A, view("b", SUSPECT)], "a", "b", ""),
    "advice to one that is down": ([A, view("b", DOWN)], "a", "b", ""),
    "advice to one that connects": ([A, view("b", CONNECTING)], "a", "b", ""),
    "advice to one in hold-down": ([A, view("b", **FLAPPED)], "a", "b", ""),
    "advice to one after its hold-down": ([A, view("b", **SETTLED)], "a", "b", "b"),
    "advice to one that is new": ([A, view("b", up_for=0.0)], "a", "b", "b"),
    "suspect: to the other": ([view("a", SUSPECT), B], "a", None, "b"),
    "suspect, and it is the advised one": ([view("a", SUSPECT), B], "a", "a", "b"),
    "down: to the other": ([view("a", DOWN), B], "a", "a", "b"),
    "closed: to the other": ([view("a", CONNECTING), B], "a", "a", "b"),
    "suspect, the other too: stay": ([view("a", SUSPECT), view("b", SUSPECT)], "a", "b", ""),
    "suspect, the other down: stay": ([view("a", SUSPECT), view("b", DOWN)], "a", "b", ""),
    "down, the other still connects": ([view("a", DOWN), view("b", CONNECTING)], "a", None, ""),
    "both down, the active one answers again": ([A, view("b", DOWN)], "a", None, ""),
    "suspect, only one in hold-down is left": (
        [view("a", SUSPECT), view("b", **FLAPPED)],
        "a",
        None,
        "b",
    ),
    "suspect: the steady one before the nearer one in hold-down": (
        [view("a", SUSPECT), view("b", srtt=0.001, **FLAPPED), C],
        "a",
        None,
        "c",
    ),
    "suspect: the steady one before the advised one in hold-down": (
        [view("a", SUSPECT), view("b", **FLAPPED), C],
        "a",
        "b",
        "c",
    ),
    "suspect: the advised one before the nearer one": (
        [view("a", SUSPECT), view("b", srtt=0.001), C],
        "a",
        "c",
        "c",
    ),
    "suspect: the nearer one": (
        [view("a", SUSPECT), B, view("c", srtt=0.001)],
        "a",
        None,
        "c",
    ),
    "the active one left the configuration": ([B, C], "a", None, "b"),
    "the active one left, one is advised": ([B, C], "a", "c", "c"),
}


@pytest.mark.parametrize(("views", "active", "advised", "chosen"), CASES.values(), ids=CASES.keys())
def test_choice(views: list[View], active: str | None, advised: str | None, chosen: str) -> None:
    choice = choose(views, active, advised, NOW)
    assert (choice.router_id if choice else "") == chosen


@pytest.mark.parametrize(
    ("views", "active", "advised", "cause"),
    [
        ([A], None, None, "first tunnel"),
        ([A, B], "a", "b", "load balancer's advice"),
        ([view("a", SUSPECT), B], "a", None, "a is suspect"),
        ([view("a", DOWN), B], "a", None, "a is down"),
        ([view("a", CONNECTING), B], "a", None, "a is connecting"),
    ],
)
def test_cause(views: list[View], active: str | None, advised: str | None, cause: str) -> None:
    choice = choose(views, active, advised, NOW)
    assert choice is not None
    assert choice.cause == cause


def test_a_choice_once_taken_is_kept() -> None:
    views = [view("a", SUSPECT), B, C]
    choice = choose(views, "a", "a", NOW)
    assert choice is not None
    assert choose(views, choice.router_id, "a", NOW) is None


def test_a_flapping_router_is_not_returned_to_on_every_recovery() -> None:
    """Advice keeps naming a; each return waits for the whole hold-down."""
    for up_for in (0.0, 1.0, HOLD_DOWN_S - 0.001):
        assert choose([view("a", failures=1, up_for=up_for), B], "b", "a", NOW) is None
    assert choose([view("a", failures=1, up_for=HOLD_DOWN_S), B], "b", "a", NOW) is not None
