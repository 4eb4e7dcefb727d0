from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.balancer.config import Algorithm
from nrs.balancer.decision import Held, Reason, choose

RULE = Algorithm(anti_flap_threshold=0.05, anti_flap_hold_time=30.0)
PRESENT = Held("router_1", 100.0)
LATER = 1000.0


def test_the_first_decision_is_the_best() -> None:
    held, reason = choose(None, {"router_1": 0.2, "router_2": 0.9}, RULE, 5.0)
    assert (held, reason) == (Held("router_2", 5.0), Reason.FIRST)


def test_equal_scores_are_settled_by_name() -> None:
    assert choose(None, {"b": 0.5, "a": 0.5, "c": 0.5}, RULE, 0.0).held.router_id == "a"


def test_an_equal_score_does_not_move_anybody() -> None:
    always = Algorithm(anti_flap_threshold=0.0, anti_flap_hold_time=0.0)
    scores = {"router_0": 0.5, "router_1": 0.5}
    assert choose(PRESENT, scores, always, LATER) == (PRESENT, Reason.BEST)


@pytest.mark.parametrize(
    ("other", "now", "router_id", "reason"),
    [
        (0.79, LATER, "router_1", Reason.BEST),
        (0.849, LATER, "router_1", Reason.BELOW_THRESHOLD),
        (0.85, LATER, "router_2", Reason.BETTER),
        (0.85, 129.9, "router_1", Reason.HELD),
        (0.85, 130.0, "router_2", Reason.BETTER),
        (0.849, 110.0, "router_1", Reason.BELOW_THRESHOLD),
    ],
)
def test_threshold_and_hold(other: float, now: float, router_id: str, reason: Reason) -> None:
    choice = choose(PRESENT, {"router_1": 0.80, "router_2": other}, RULE, now)
    assert (choice.held.router_id, choice.reason) == (router_id, reason)
    assert choice.held.since == (100.0 if router_id == "router_1" else now)


def test_a_lost_router_is_left_at_once() -> None:
    held, reason = choose(PRESENT, {"router_2": 0.1, "router_3": 0.2}, RULE, 100.1)
    assert (held, reason) == (Held("router_3", 100.1), Reason.ROUTER_LOST)


ids = st.sampled_from(["r1", "r2", "r3", "r4"])
score_maps = st.dictionaries(ids, st.floats(0, 1), min_size=1)
rules = st.builds(
    Algorithm, anti_flap_threshold=st.floats(0, 1), anti_flap_hold_time=st.floats(0, 1000)
)


@given(st.none() | st.builds(Held, ids, st.floats(0, 100)), score_maps, rules, st.floats(100, 2000))
def test_the_choice_can_be_used_and_a_move_has_its_grounds(
    present: Held | None, scores: dict[str, float], rule: Algorithm, now: float
) -> None:
    held, reason = choose(present, scores, rule, now)
    assert held.router_id in scores
    if present is None or present.router_id not in scores:
        assert scores[held.router_id] == max(scores.values())
        assert held.since == now
    elif held == present:
        assert reason in {Reason.BEST, Reason.BELOW_THRESHOLD, Reason.HELD}
    else:
        assert reason is Reason.BETTER
        assert scores[held.router_id] == max(scores.values())
        assert scores[held.router_id] > scores[present.router_id]
        gain = scores[held.router_id] - scores[present.router_id]
        assert gain >= rule.anti_flap_threshold - 1e-8
        assert now - present.since >= rule.anti_flap_hold_time


@given(st.lists(st.tuples(st.floats(0.01, 20), score_maps), min_size=2, max_size=40), rules)
def test_no_endpoint_moves_within_the_hold_unless_its_router_is_lost(
    polls: list[tuple[float, dict[str, float]]], rule: Algorithm
) -> None:
    now, present = 0.0, None
    for pause, scores in polls:
        now += pause
        before = present
        present = choose(before, scores, rule, now).held
        if before is None or before.router_id not in scores:
            continue
        if present.router_id != before.router_id:
            assert now - before.since >= rule.anti_flap_hold_time
