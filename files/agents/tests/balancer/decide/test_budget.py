from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.balancer.decide.budget import MoveBudget, urgency


def taken(budget: MoveBudget, endpoints: int, begin: float, end: float, step: float = 0.1) -> int:
    """Moves when somebody of the same urgency asks all the time."""
    count = round((end - begin) / step)
    return sum(budget.take(1.0, endpoints, begin + i * step) for i in range(count))


@pytest.mark.parametrize(("endpoints", "moves"), [(1, 1), (10, 1), (100, 2), (1000, 20)])
def test_a_cycle_has_two_percent_and_at_least_one(endpoints: int, moves: int) -> None:
    budget = MoveBudget(10.0)
    assert [taken(budget, endpoints, at, at + 10.0) for at in (0.0, 10.0, 20.0)] == [moves] * 3


def test_the_fraction_is_carried_on() -> None:
    budget = MoveBudget(10.0)
    assert sum(taken(budget, 60, at, at + 10.0) for at in range(0, 500, 10)) == 60


def test_what_is_not_used_is_not_kept() -> None:
    budget = MoveBudget(10.0)
    assert taken(budget, 100, 0.0, 1.0) == 2
    assert taken(budget, 100, 95.0, 105.0) == 2


@given(st.lists(st.tuples(st.floats(0.01, 30), st.floats(0, 1)), max_size=200))
def test_no_cycle_has_more_than_its_share(questions: list[tuple[float, float]]) -> None:
    budget = MoveBudget(10.0)
    now, moves = 0.0, []
    for pause, urgent in questions:
        now += pause
        if budget.take(urgent, 150, now):
            moves.append(now)
    for first in moves:
        # 3 in each cycle, and any 10 s touch two of them.
        assert sum(first <= at < first + 10.0 for at in moves) <= 6


def test_the_most_urgent_go_first_and_the_others_at_the_end() -> None:
    budget = MoveBudget(10.0)
    assert budget.take(1.0, 10, 0.0)
    assert not budget.take(0.2, 10, 10.1)
    assert not budget.take(0.2, 10, 17.9)
    assert budget.take(0.2, 10, 18.1)
    assert budget.take(0.2, 10, 20.1), "in the cycle before nobody was more urgent"
    assert budget.take(0.9, 10, 31.0)


def test_after_a_pause_nobody_has_to_wait() -> None:
    budget = MoveBudget(10.0)
    assert budget.take(1.0, 10, 0.0)
    assert budget.take(0.01, 10, 25.0)


def test_urgent_is_who_evens_most_and_was_not_moved_lately() -> None:
    assert urgency(0.2, 0.1, math.inf) == pytest.approx(0.1)
    assert urgency(0.05, 0.1, math.inf) == pytest.approx(0.05)
    assert urgency(0.2, 0.1, 30.0) < 0.01
    assert urgency(0.2, 0.1, 3000.0) == pytest.approx(0.1, rel=1e-3)
