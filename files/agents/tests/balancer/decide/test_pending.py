from __future__ import annotations

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.balancer.decide.pending import FLOW_S, Pending

Move = tuple[float, float, bool]


def pending(reports: Sequence[float]) -> Pending:
    found = Pending()
    for at in reports:
        found.reported(at)
    return found


def unseen(moves: Sequence[Move], reports: Sequence[float]) -> float:
    """By numbers: what the mean over the last two reports lacks, and all that came later."""
    begin, end = reports[-2:]
    steps = 20_000
    missing = 0.0
    for mbps, when, gradual in moves:
        if when > end:
            missing += mbps
            continue
        for step in range(steps):
            at = begin + (end - begin) * (step + 0.5) / steps
            late = math.exp(-(at - when) / FLOW_S) if gradual and at >= when else float(at < when)
            missing += mbps * late / steps
    return missing


def test_nothing_is_pending_at_first() -> None:
    assert pending([]).mbps == pending([0.0, 10.0]).mbps == 0.0


def test_a_move_is_unseen_until_the_next_report() -> None:
    router = pending([0.0, 10.0])
    router.move(5.0, 12.0, gradual=False)
    router.move(-2.0, 19.0, gradual=True)
    assert router.mbps == pytest.approx(3.0)


def test_a_report_soon_after_a_move_shows_a_part_of_it_and_the_next_one_all() -> None:
    router = pending([0.0, 10.0])
    router.move(10.0, 17.0, gradual=False)
    router.reported(20.0)
    assert router.mbps == pytest.approx(7.0)
    router.reported(30.0)
    assert router.mbps == pytest.approx(0.0)


def test_flows_follow_their_endpoint_little_by_little() -> None:
    router = pending([0.0, 10.0])
    router.move(10.0, 10.0001, gradual=True)
    router.reported(20.0)
    first = router.mbps
    router.reported(30.0)
    second = router.mbps
    assert 6.0 < first < 6.4  # the mean of e^(-s / 10) over 10 s
    assert second == pytest.approx(first / math.e, rel=1e-3)


def test_before_the_first_report_a_move_counts_whole_until_two_have_come() -> None:
    router = Pending()
    router.move(4.0, 5.0, gradual=False)
    assert router.mbps == 4.0
    router.reported(10.0)
    assert router.mbps == 4.0
    router.reported(20.0)
    assert router.mbps == pytest.approx(0.0)


def test_two_reports_at_once_do_not_divide_by_zero() -> None:
    router = pending([0.0, 10.0, 10.0])
    router.move(3.0, 12.0, gradual=True)
    router.reported(12.0)
    assert math.isfinite(router.mbps)


def test_after_a_long_silence_figures_stay_finite() -> None:
    router = pending([0.0, 10.0])
    router.move(3.0, 50_000.0, gradual=True)
    router.reported(100_000.0)
    assert router.mbps == pytest.approx(1.5, rel=0.01)


moves = st.lists(
    st.tuples(st.floats(-100, 100), st.floats(10.001, 39.999), st.booleans()), max_size=8
)


@given(moves)
def test_sums_stand_for_every_single_move(found: list[Move]) -> None:
    reports = [0.0, 10.0, 21.0, 28.0, 40.0]
    router = pending(reports[:2])
    left = sorted(found, key=lambda move: move[1])
    for at in reports[2:]:
        while left and left[0][1] <= at:
            mbps, when, gradual = left.pop(0)
            router.move(mbps, when, gradual=gradual)
        router.reported(at)
    assert router.mbps == pytest.approx(unseen(found, reports), abs=0.05)


@given(st.floats(0.001, 39.999), st.booleans())
def test_a_move_that_is_told_late_counts_as_if_told_in_time(when: float, gradual: bool) -> None:
    reports = [0.0, 10.0, 20.0, 30.0]
    late = pending(reports)
    late.move(7.0, when, gradual=gradual)
    assert late.mbps == pytest.approx(unseen([(7.0, when, gradual)], reports), abs=0.01)


@given(st.floats(10.001, 29.999), st.booleans())
def test_a_move_that_is_taken_back_leaves_nothing(when: float, gradual: bool) -> None:
    router = pending([0.0, 10.0])
    told = False
    for at in (20.0, 30.0, 40.0):
        if not told and when <= at:
            router.move(7.0, when, gradual=gradual)
            told = True
        router.reported(at)
    router.move(-7.0, when, gradual=gradual)
    router.reported(50.0)
    assert router.mbps == pytest.approx(0.0, abs=1e-6)
