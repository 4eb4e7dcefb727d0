from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.balancer.decide.history import MOST, History, Numbers, Run
from nrs.balancer.decide.rule import Reason


def history(routers: int) -> History:
    """Of routers 0, 1 and so on, which have the numbers of their names."""
    numbers = Numbers()
    for number in range(routers):
        assert numbers.of(f"router_{number}", ()) == number
    return History(numbers)


def test_equal_decisions_in_a_row_are_one_record() -> None:
    past, records = history(3), bytearray()
    past.note(records, 1000.0, 1, None, Reason.FIRST, 0.5)
    for at in (10.0, 20.0, 30.5):
        past.note(records, 1000.0 + at, 1, 1, Reason.BEST, at / 100)
    past.note(records, 1040.0, 2, 1, Reason.BETTER, 0.75)
    assert list(past.runs(records)) == [
        Run(1000.0, 1000.0, 1, "router_1", None, Reason.FIRST, 0.5),
        Run(1010.0, 1030.5, 3, "router_1", "router_1", Reason.BEST, pytest.approx(0.305)),
        Run(1040.0, 1040.0, 1, "router_2", "router_1", Reason.BETTER, 0.75),
    ]


def test_the_last_fifty_are_kept() -> None:
    past, records = history(120), bytearray()
    for number in range(120):
        past.note(records, float(number), number, None, Reason.FIRST, 0.0)
    found = list(past.runs(records))
    assert len(found) == MOST
    assert [run.router_id for run in found] == [f"router_{n}" for n in range(70, 120)]


def test_times_beyond_what_fits_do_not_break_it() -> None:
    past, records = history(2), bytearray()
    past.note(bytearray(), 0.0, 1, 1, Reason.BEST, 0.0)
    past.note(records, 1e12, 1, 1, Reason.BEST, 0.0)
    assert next(past.runs(records)).first == pytest.approx(2**32 / 10, rel=1e-6)


@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 3), st.sampled_from(Reason)), max_size=45)
)
def test_no_decision_is_lost(made: list[tuple[int, int, Reason]]) -> None:
    past, records = history(4), bytearray()
    for at, (router, previous, reason) in enumerate(made):
        past.note(records, float(at), router, previous, reason, 0.0)
    told = [
        (run.router_id, run.previous, run.reason)
        for run in past.runs(records)
        for _ in range(run.count)
    ]
    assert told == [(f"router_{r}", f"router_{p}", reason) for r, p, reason in made]
