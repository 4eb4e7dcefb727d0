from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.balancer.decision import Reason, Rule, best, judge

RULE = Rule(threshold=0.05, hold=30.0)
LATER = 1000.0


@dataclass(frozen=True)
class Router:
    router_id: str
    effective: float
    joined: float
    open: bool = True


def router(name: str, effective: float, cost: float = 0.0, *, is_open: bool = True) -> Router:
    return Router(name, effective, effective - cost, is_open)


def test_the_best_is_the_one_that_is_best_with_the_endpoint_on_it() -> None:
    small, large = router("a", 0.6, cost=0.2), router("b", 0.55, cost=0.05)
    assert best([small, large]) is large


def test_equal_ones_are_settled_by_name() -> None:
    assert best([router(name, 0.5) for name in "bac"]) == router("a", 0.5)


def test_nobody_is_sent_to_a_router_that_is_not_open() -> None:
    assert best([router("a", 0.9, is_open=False), router("b", 0.1)]) == router("b", 0.1)
    assert best([router("a", 0.9, is_open=False)]) is None


@pytest.mark.parametrize(
    ("other", "held_s", "move", "reason"),
    [
        (0.79, LATER, False, Reason.BEST),
        (0.80, LATER, False, Reason.BEST),
        (0.849, LATER, False, Reason.BELOW_THRESHOLD),
        (0.85, LATER, True, Reason.BETTER),
        (0.85, 29.9, False, Reason.HELD),
        (0.85, 30.0, True, Reason.BETTER),
        (0.849, 10.0, False, Reason.BELOW_THRESHOLD),
    ],
)
def test_threshold_and_hold(other: float, held_s: float, move: bool, reason: Reason) -> None:
    choice = judge(router("a", 0.80), router("b", other), held_s, RULE, within_budget=True)
    assert choice == (move, reason)


def test_the_threshold_is_passed_with_the_endpoints_own_traffic_moved() -> None:
    present = router("a", 0.80)
    assert judge(present, router("b", 0.88, cost=0.02), LATER, RULE, within_budget=True).move
    assert not judge(present, router("b", 0.88, cost=0.04), LATER, RULE, within_budget=True).move


def test_a_used_up_budget_waits_and_is_not_asked_before_the_rest() -> None:
    def reason(other: float, held_s: float) -> Reason:
        present, challenger = router("a", 0.80), router("b", other)
        return judge(present, challenger, held_s, RULE, within_budget=False).reason

    assert reason(0.9, LATER) is Reason.LIMITED
    assert reason(0.9, 1.0) is Reason.HELD
    assert reason(0.81, LATER) is Reason.BELOW_THRESHOLD


def test_the_present_router_and_nobody_are_no_challengers() -> None:
    always = Rule(0.0, 0.0)
    present = router("a", 0.5)
    assert judge(present, present, LATER, always, within_budget=True).reason is Reason.BEST
    assert judge(present, None, LATER, always, within_budget=True).reason is Reason.BEST


scores = st.floats(0, 1)
rules = st.builds(Rule, scores, st.floats(0, 1000))


@given(scores, scores, st.floats(0, 0.2), st.floats(0, 2000), rules, st.booleans())
def test_a_move_has_its_grounds(
    here: float, there: float, cost: float, held_s: float, rule: Rule, within_budget: bool
) -> None:
    present, challenger = router("a", here), router("b", there, cost)
    choice = judge(present, challenger, held_s, rule, within_budget=within_budget)
    if not choice.move:
        assert choice.reason is not Reason.BETTER
        return
    assert choice.reason is Reason.BETTER
    assert there - cost > here
    assert there - cost - here >= rule.threshold - 1e-8
    assert held_s >= rule.hold
    assert within_budget


@given(scores, scores, st.floats(0.001, 0.2), rules)
def test_who_has_just_moved_has_no_reason_to_go_back(
    here: float, there: float, cost: float, rule: Rule
) -> None:
    before, target = router("a", here, cost), router("b", there, cost)
    if judge(before, target, LATER, rule, within_budget=True).move:
        left, taken = router("a", here + cost, cost), router("b", there - cost, cost)
        assert not judge(taken, left, LATER, rule, within_budget=True).move
