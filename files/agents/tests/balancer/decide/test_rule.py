from __future__ import annotations

from dataclasses import dataclass

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.balancer.decide.rule import Reason, Rule, best, judge

RULE = Rule(threshold=0.05, hold=30.0)
LATER = 1000.0


@dataclass(frozen=True)
class Router:
    router_id: str
    effective: float
    cost: float = 0.0
    open: bool = True


def test_the_best_is_the_one_that_is_best_with_the_endpoint_on_it() -> None:
    small, large = Router("a", 0.6, cost=0.02), Router("b", 0.55, cost=0.005)
    assert best([small, large], 0.0) is small
    assert best([small, large], 10.0) is large


def test_equal_ones_are_settled_by_name() -> None:
    assert best([Router(name, 0.5) for name in "bac"], 1.0) == Router("a", 0.5)


def test_nobody_is_sent_to_a_router_that_is_not_open() -> None:
    assert best([Router("a", 0.9, open=False), Router("b", 0.1)], 1.0) == Router("b", 0.1)
    assert best([Router("a", 0.9, open=False)], 1.0) is None


@pytest.mark.parametrize(
    ("other", "held_s", "reason"),
    [
        (0.79, LATER, Reason.BEST),
        (0.80, LATER, Reason.BEST),
        (0.849, LATER, Reason.BELOW_THRESHOLD),
        (0.85, LATER, Reason.BETTER),
        (0.85, 29.9, Reason.HELD),
        (0.85, 30.0, Reason.BETTER),
        (0.849, 10.0, Reason.BELOW_THRESHOLD),
    ],
)
def test_threshold_and_hold(other: float, held_s: float, reason: Reason) -> None:
    verdict = judge(Router("a", 0.80), Router("b", other), 1.0, held_s, RULE)
    assert verdict.reason is reason
    assert verdict.gain == pytest.approx(other - 0.80)


@pytest.mark.parametrize(("mbps", "reason"), [(2.0, Reason.BETTER), (4.0, Reason.BELOW_THRESHOLD)])
def test_the_threshold_is_passed_with_the_endpoints_own_traffic_moved(
    mbps: float, reason: Reason
) -> None:
    challenger = Router("b", 0.88, cost=0.01)
    assert judge(Router("a", 0.80), challenger, mbps, LATER, RULE).reason is reason


def test_the_present_router_and_nobody_are_no_challengers() -> None:
    always = Rule(0.0, 0.0)
    present = Router("a", 0.5)
    assert judge(present, present, 1.0, LATER, always).reason is Reason.BEST
    assert judge(present, None, 1.0, LATER, always).reason is Reason.BEST


scores = st.floats(0, 1)
rules = st.builds(Rule, scores, st.floats(0, 1000))


@given(scores, scores, st.floats(0, 0.2), st.floats(0, 2000), rules)
def test_a_move_has_its_grounds(
    here: float, there: float, cost: float, held_s: float, rule: Rule
) -> None:
    verdict = judge(Router("a", here), Router("b", there, cost), 1.0, held_s, rule)
    if verdict.reason is Reason.BETTER:
        assert verdict.gain == there - cost - here > 0
        assert verdict.gain >= rule.threshold - 1e-8
        assert held_s >= rule.hold


@given(scores, scores, st.floats(0.001, 0.2), rules)
def test_who_has_just_moved_has_no_reason_to_go_back(
    here: float, there: float, cost: float, rule: Rule
) -> None:
    before, target = Router("a", here, cost), Router("b", there, cost)
    if judge(before, target, 1.0, LATER, rule).reason is Reason.BETTER:
        left, taken = Router("a", here + cost, cost), Router("b", there - cost, cost)
        assert judge(taken, left, 1.0, LATER, rule).reason is not Reason.BETTER
