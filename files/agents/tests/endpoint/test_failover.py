from __future__ import annotations

from dataclasses import replace

import pytest

from nrs.endpoint.failover import Move, Standing, View, choose
from nrs.endpoint.liveness import State
from nrs.endpoint.quality import Measure

NOW = 1000.0
HOLD_S = 10.0
UP, SUSPECT, DOWN, CONNECTING = State.UP, State.SUSPECT, State.DOWN, State.CONNECTING


def view(
    router_id: str,
    state: State = UP,
    *,
    hold_s: float = 0.0,
    up_for: float = 500.0,
    srtt: float | None = 0.010,
    loss: float | None = 0.0,
    answered: float = NOW - 1.0,
    degraded: bool = False,
    draining: bool = False,
    egress_up: bool = True,
) -> View:
    return View(
        router_id,
        state,
        NOW - up_for,
        answered,
        hold_s,
        Measure(loss, srtt),
        degraded,
        draining,
        egress_up,
    )


A, B, C = view("a"), view("b"), view("c")
FLAPPED = {"hold_s": HOLD_S, "up_for": HOLD_S - 0.1}
SETTLED = {"hold_s": HOLD_S, "up_for": HOLD_S}
USELESS = {"egress_up": False}
DRAINING = {"draining": True}
DEGRADED = {"degraded": True, "loss": 0.2}
SATELLITE = {"srtt": 0.6}

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
    "useless: to the other": ([view("a", **USELESS), B], "a", "a", "b"),
    "useless, the other too: stay": ([view("a", **USELESS), view("b", **USELESS)], "a", "b", ""),
    "useless, the other silent: stay": ([view("a", **USELESS), view("b", SUSPECT)], "a", "b", ""),
    "silent, the other useless: better than nothing": (
        [view("a", SUSPECT), view("b", **USELESS)],
        "a",
        None,
        "b",
    ),
    "useless, the other draining": (
        [view("a", **USELESS), view("b", **DRAINING)],
        "a",
        None,
        "b",
    ),
    "useless, two others: the degraded before the draining": (
        [view("a", **USELESS), view("b", **DRAINING), view("c", **DEGRADED)],
        "a",
        "b",
        "c",
    ),
    "draining: to the other": ([view("a", **DRAINING), B], "a", "a", "b"),
    "draining: even to one in hold-down": (
        [view("a", **DRAINING), view("b", **FLAPPED)],
        "a",
        "a",
        "b",
    ),
    "draining, and nothing else answers: stay": (
        [view("a", **DRAINING), view("b", DOWN)],
        "a",
        None,
        "",
    ),
    "degraded: to the other": ([view("a", **DEGRADED), B], "a", "a", "b"),
    "degraded, the other too: stay": (
        [view("a", **DEGRADED), view("b", **DEGRADED)],
        "a",
        "b",
        "",
    ),
    "degraded, what the other loses is unknown: stay": (
        [view("a", **DEGRADED), view("b", loss=None)],
        *("a", "b", ""),
    ),
    "degraded, the other's delay is unknown: stay": (
        [view("a", **DEGRADED), view("b", srtt=None)],
        *("a", "b", ""),
    ),
    "degraded, the other loses as much by now: stay": (
        [view("a", **DEGRADED), view("b", loss=0.18)],
        *("a", None, ""),
    ),
    "degraded, the other loses less but is a satellite: stay": (
        [view("a", **DEGRADED), view("b", **SATELLITE)],
        *("a", None, ""),
    ),
    "degraded, of two others one is unknown: the known one": (
        [view("a", **DEGRADED), view("b", srtt=0.001, loss=None), C],
        *("a", "b", "c"),
    ),
    "a slow satellite, the other is quick and loses nothing": (
        [view("a", degraded=True, **SATELLITE), B],
        *("a", None, "b"),
    ),
    "a slow satellite whose loss is unknown, too": (
        [view("a", degraded=True, srtt=0.6, loss=None), B],
        *("a", None, "b"),
    ),
    "a slow satellite, what the other loses is unknown": (
        [view("a", degraded=True, **SATELLITE), view("b", loss=None)],
        *("a", None, ""),
    ),
    "two satellites": ([view("a", **SATELLITE), view("b", srtt=0.55)], "a", None, ""),
    "degraded and draining: to one of which nothing is known": (
        [view("a", **DEGRADED, **DRAINING), view("b", loss=None)],
        *("a", None, "b"),
    ),
    "in hold-down oneself: no reason to leave": ([view("a", **FLAPPED), B], "a", None, ""),
    "in hold-down, advised away": ([view("a", **FLAPPED), B], "a", "b", "b"),
    "advice to one that is useless": ([A, view("b", **USELESS)], "a", "b", ""),
    "advice to one that drains": ([A, view("b", **DRAINING)], "a", "b", ""),
    "advice to one that is degraded": ([A, view("b", **DEGRADED)], "a", "b", ""),
    "the first to come up is useless, better than nothing": (
        [view("a", **USELESS), view("b", CONNECTING)],
        None,
        None,
        "a",
    ),
}


@pytest.mark.parametrize(("views", "active", "advised", "chosen"), CASES.values(), ids=CASES.keys())
def test_choice(views: list[View], active: str | None, advised: str | None, chosen: str) -> None:
    choice = choose(views, active, advised, NOW)
    assert (choice.router_id if choice else "") == chosen


@pytest.mark.parametrize(
    ("present", "standing"),
    [
        (A, Standing.GOOD),
        (view("a", up_for=0.0), Standing.GOOD),
        (view("a", **FLAPPED), Standing.FLAPPED),
        (view("a", **SETTLED), Standing.GOOD),
        (view("a", **FLAPPED, **DEGRADED), Standing.DEGRADED),
        (view("a", **DEGRADED, **DRAINING), Standing.DRAINING),
        (view("a", **DRAINING, **USELESS), Standing.USELESS),
        (view("a", SUSPECT, **USELESS), Standing.SILENT),
    ],
)
def test_the_worst_that_is_known_of_a_tunnel_counts(present: View, standing: Standing) -> None:
    assert present.standing(NOW) is standing


@pytest.mark.parametrize(
    ("views", "active", "advised", "cause", "move"),
    [
        ([A], None, None, "first tunnel", Move.PLANNED),
        ([A, B], "a", "b", "load balancer's advice", Move.PLANNED),
        ([view("a", SUSPECT), B], "a", None, "a does not answer", Move.FAILURE),
        ([view("a", DOWN), B], "a", None, "a does not answer", Move.FAILURE),
        ([view("a", CONNECTING), B], "a", None, "a has closed its tunnel", Move.FAILURE),
        (
            [view("a", **USELESS), B],
            "a",
            None,
            "a has no way on: its egress is down",
            Move.FAILURE,
        ),
        ([view("a", **DRAINING), B], "a", None, "a is draining", Move.PLANNED),
        ([replace(A, restarting=True), B], "a", None, "a is being restarted", Move.PLANNED),
        (
            [replace(view("a", **DRAINING), restarting=True), B],
            *("a", None, "a is draining", Move.PLANNED),
        ),
        ([view("a", **DEGRADED), B], "a", None, "a loses or delays too much", Move.DEGRADED),
    ],
)
def test_cause(
    views: list[View], active: str | None, advised: str | None, cause: str, move: Move
) -> None:
    choice = choose(views, active, advised, NOW)
    assert choice is not None
    assert (choice.cause, choice.move) == (cause, move)


def test_the_options_that_were_not_taken_have_their_reasons() -> None:
    views = [
        view("a", SUSPECT),
        B,
        view("c", **FLAPPED),
        view("d", **DRAINING),
        view("e", **USELESS),
        view("f", srtt=0.5),
    ]
    choice = choose(views, "a", None, NOW)
    assert choice is not None
    assert choice.router_id == "b"
    assert choice.rejected == {
        "c": "it has failed lately",
        "d": "it is draining",
        "e": "its egress is down",
        "f": "it is no better",
    }


def test_a_tunnel_that_is_not_known_well_enough_has_that_reason() -> None:
    views = [view("a", **DEGRADED), B, view("c", loss=None), view("d", loss=0.19)]
    choice = choose(views, "a", None, NOW)
    assert choice is not None
    assert choice.rejected == {"c": "what it loses is not known", "d": "it is no better"}


def test_a_choice_once_taken_is_kept() -> None:
    views = [view("a", SUSPECT), B, C]
    choice = choose(views, "a", "a", NOW)
    assert choice is not None
    assert choose(views, choice.router_id, "a", NOW) is None


def test_the_first_to_answer_wins_while_nobody_has_since_the_flight() -> None:
    fled = NOW - 0.01
    silent = view("b", answered=fled - 5.0)
    back = view("a", answered=NOW, **FLAPPED)
    assert choose([back, silent], "b", None, NOW) is None
    choice = choose([back, silent], "b", None, NOW, fled_at=fled)
    assert choice is not None
    assert (choice.router_id, choice.cause) == ("a", "a answered before b did")
    assert choice.move is Move.FAILURE
    # Once it has answered, it is the one.
    assert choose([back, view("b", answered=NOW)], "b", None, NOW, fled_at=fled) is None
    # Whoever has no way on is no winner.
    useless = view("a", answered=NOW, **USELESS)
    assert choose([useless, silent], "b", None, NOW, fled_at=fled) is None


def test_a_flapping_router_is_not_returned_to_on_every_recovery() -> None:
    """Advice keeps naming a; each return waits for the whole hold-down."""
    for up_for in (0.0, 1.0, HOLD_S - 0.001):
        assert choose([view("a", hold_s=HOLD_S, up_for=up_for), B], "b", "a", NOW) is None
    assert choose([view("a", hold_s=HOLD_S, up_for=HOLD_S), B], "b", "a", NOW) is not None
