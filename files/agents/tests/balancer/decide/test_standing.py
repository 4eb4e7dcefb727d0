from __future__ import annotations

from typing import Any

import pytest

from nrs.balancer.decide.algorithm import Algorithm
from nrs.balancer.decide.balancer import Balancer
from nrs.balancer.decide.fleet import UnknownRouter
from nrs.balancer.decide.placement import NoRouter
from nrs.balancer.decide.rule import Reason
from nrs.balancer.decide.standing import (
    DECAY_S,
    LONGEST_EJECTION_S,
    Changes,
    Ejection,
    Standing,
    State,
    Status,
    eject,
    handicap,
    panics,
    standing,
)
from tests.balancer.reports import WALL, report

DOWN = {"egress_up": False}
DRAINS = {"draining": True}


@pytest.mark.parametrize(
    ("changes", "state", "fresh", "status"),
    [
        ({}, State.ACTIVE, True, Status.ACTIVE),
        ({}, State.DRAINING, True, Status.DRAINING),
        ({}, State.DISABLED, True, Status.DISABLED),
        (DRAINS, State.ACTIVE, True, Status.DRAINING),
        (DRAINS, State.DRAINING, True, Status.DRAINING),
        (DOWN, State.ACTIVE, True, Status.EGRESS_DOWN),
        (DOWN | DRAINS, State.DRAINING, True, Status.EGRESS_DOWN),
        (DOWN | DRAINS, State.DISABLED, True, Status.DISABLED),
        ({}, State.ACTIVE, False, Status.INACTIVE),
        (DOWN | DRAINS, State.DRAINING, False, Status.INACTIVE),
        ({}, State.DISABLED, False, Status.DISABLED),
    ],
)
def test_report_and_state_combine(
    changes: dict[str, Any], state: State, fresh: bool, status: Status
) -> None:
    judged = standing(report("router_1", **changes), state, silent_s=1.0, fresh=fresh)
    assert judged.status is status
    assert (judged.reason is None) is (status is Status.ACTIVE)


@pytest.fixture
def balancer() -> Balancer:
    """Routers 1, 2 and 3, the first the best; endpoint e is at router 1."""
    balancer = Balancer(Algorithm(), 10.0)
    tell(balancer, 0.0)
    assert chosen(balancer, 0.0) == "router_1"
    return balancer


def tell(balancer: Balancer, now: float, **changes: dict[str, Any]) -> None:
    for number in (1, 2, 3):
        name = f"router_{number}"
        extra = changes.get(name, {})
        balancer.report(report(name, number / 100, timestamp=WALL + now, **extra), now, WALL + now)


def chosen(balancer: Balancer, now: float, endpoint: str = "e") -> str:
    return balancer.decide(endpoint, None, None, now).router.report.server_id


@pytest.mark.parametrize("changes", [DOWN, DRAINS])
def test_what_a_router_reports_counts_at_once_both_ways(
    balancer: Balancer, changes: dict[str, Any]
) -> None:
    tell(balancer, 1.0, router_1=changes)
    decision = balancer.decide("e", None, None, 1.0)
    assert decision.router.report.server_id == "router_2"
    assert decision.reason is Reason.ROUTER_LOST
    tell(balancer, 2.0)
    assert chosen(balancer, 2.0, "new") == "router_1"
    assert chosen(balancer, 2.0) == "router_2"


@pytest.mark.parametrize("state", [State.DRAINING, State.DISABLED])
def test_what_the_operator_sets_is_not_limited_by_threshold_or_hold(
    balancer: Balancer, state: State
) -> None:
    assert balancer.set_state("router_1", state)
    assert not balancer.set_state("router_1", state)
    assert chosen(balancer, 0.1) == "router_2"
    assert chosen(balancer, 0.1, "new") != "router_1"
    assert balancer.set_state("router_1", State.ACTIVE)
    assert not balancer.set_state("router_1", State.ACTIVE)
    assert chosen(balancer, 0.2, "newer") == "router_1"


def test_the_best_of_what_is_left_is_used(balancer: Balancer) -> None:
    balancer.set_state("router_1", State.DRAINING)
    tell(balancer, 1.0, router_2=DOWN, router_3=DOWN)
    assert chosen(balancer, 1.0) == "router_1"
    balancer.set_state("router_1", State.DISABLED)
    assert chosen(balancer, 1.0) == "router_2"
    balancer.set_state("router_2", State.DISABLED)
    balancer.set_state("router_3", State.DISABLED)
    with pytest.raises(NoRouter, match=r"is active; disabled: router_1, router_2, router_3$"):
        chosen(balancer, 1.0)
    balancer.set_state("router_2", State.ACTIVE)
    with pytest.raises(
        NoRouter, match=r"without a report: router_2 for 39 s; disabled: router_1, router_3$"
    ):
        chosen(balancer, 40.0)


def test_all_routers_draining_moves_nobody(balancer: Balancer) -> None:
    tell(balancer, 1.0, router_1=DRAINS, router_2=DRAINS, router_3=DRAINS)
    assert balancer.decide("e", None, None, 1.0).reason is Reason.BEST


def test_only_a_router_that_is_known_has_a_state(balancer: Balancer) -> None:
    for state in State:
        with pytest.raises(UnknownRouter):
            balancer.set_state("router_9", state)
    assert balancer.states == {}


def test_states_of_before_hold_for_routers_that_are_yet_to_report() -> None:
    balancer = Balancer(Algorithm(), 10.0)
    balancer.restore_states({"router_1": State.DRAINING, "router_2": State.DISABLED})
    tell(balancer, 0.0)
    assert chosen(balancer, 0.0) == "router_3"
    assert [view.standing.status.value for view in balancer.routers(0.0)] == [
        "draining",
        "disabled",
        "active",
    ]


def test_the_state_of_a_router_yet_to_report_can_be_taken_back() -> None:
    balancer = Balancer(Algorithm(), 10.0)
    balancer.restore_states({"router_1": State.DRAINING})
    assert balancer.set_state("router_1", State.ACTIVE)
    assert balancer.states == {}


def ejections(*moments: float) -> list[float]:
    """How long each lasts."""
    last: Ejection | None = None
    lengths = []
    for now in moments:
        last = eject(last, now, 10.0, "silent")
        lengths.append(last.until - now)
    return lengths


def test_each_lasts_twice_as_long_as_the_one_before_up_to_a_limit() -> None:
    assert ejections(0, 100, 200, 300) == [10, 20, 40, 80]
    assert ejections(*range(0, 10_000, 100))[-1] == LONGEST_EJECTION_S


def test_a_quiet_time_takes_one_off() -> None:
    assert ejections(0, 100, 120 + DECAY_S - 1) == [10, 20, 40]
    assert ejections(0, 100, 120 + DECAY_S) == [10, 20, 20]
    assert ejections(0, 100, 120 + 5 * DECAY_S) == [10, 20, 10]


def test_it_holds_until_its_end() -> None:
    found = eject(None, 100.0, 10.0, "why")
    assert found.holds(109.9)
    assert not found.holds(110.0)
    assert found.reason == "why"


@pytest.mark.parametrize(
    ("out", "known", "panic"), [(0, 0, False), (1, 2, False), (2, 3, True), (1, 1, True)]
)
def test_more_than_half_is_too_many(out: int, known: int, panic: bool) -> None:
    assert panics(out, known) is panic


@pytest.mark.parametrize(
    ("age", "ramp", "part"),
    [(0, 60, 0.0), (15, 60, 0.25), (60, 60, 1.0), (1e9, 60, 1.0), (-1, 60, 0.0), (0, 0, 1.0)],
)
def test_the_part_of_its_lead_that_counts_grows_from_nothing_to_all(
    age: float, ramp: float, part: float
) -> None:
    assert handicap(0.9, 0.5, age, ramp) == pytest.approx((1.0 - part) * 0.4)


def test_who_is_behind_needs_no_handicap() -> None:
    assert handicap(0.3, 0.5, 0.0, 60.0) == 0.0


def test_a_status_is_noted_once_until_it_is_another() -> None:
    active, drained = Standing(Status.ACTIVE), Standing(Status.DRAINING, "why")
    changes = Changes()
    assert [changes.note("a", of) for of in (active, active, drained, drained, active)] == [
        *(True, False),
        *(True, False),
        True,
    ]
    changes.note("b", active)
    changes.forget_others({"b"})
    assert not changes.note("b", active)
    assert changes.note("a", active)
