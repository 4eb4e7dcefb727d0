from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.balancer.decide.history import MOST, NOBODY, Run, note, runs
from nrs.balancer.decide.rule import Reason


def test_equal_decisions_in_a_row_are_one_record() -> None:
    records = bytearray()
    note(records, 0.0, 1, NOBODY, Reason.FIRST, 0.5)
    for at in (10.0, 20.0, 30.5):
        note(records, at, 1, 1, Reason.BEST, at / 100)
    note(records, 40.0, 2, 1, Reason.BETTER, 0.75)
    assert list(runs(records)) == [
        Run(0.0, 0.0, 1, 1, NOBODY, Reason.FIRST, 0.5),
        Run(10.0, 30.5, 3, 1, 1, Reason.BEST, pytest.approx(0.305)),
        Run(40.0, 40.0, 1, 2, 1, Reason.BETTER, 0.75),
    ]


def test_the_last_fifty_are_kept() -> None:
    records = bytearray()
    for number in range(120):
        note(records, float(number), number, NOBODY, Reason.FIRST, 0.0)
    found = list(runs(records))
    assert len(found) == MOST
    assert [run.router for run in found] == list(range(70, 120))


def test_times_beyond_what_fits_do_not_break_it() -> None:
    records = bytearray()
    note(records, 1e12, 1, 1, Reason.BEST, 0.0)
    assert next(runs(records)).first == pytest.approx(2**32 / 10, rel=1e-6)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from(Reason)), max_size=45)
)
def test_no_decision_is_lost(made: list[tuple[int, int, Reason]]) -> None:
    records = bytearray()
    for at, (router, previous, reason) in enumerate(made):
        note(records, float(at), router, previous, reason, 0.0)
    told = [
        (run.router, run.previous, run.reason) for run in runs(records) for _ in range(run.times)
    ]
    assert told == made
