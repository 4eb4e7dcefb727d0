from __future__ import annotations

import pytest

from nrs.balancer.decide.slow_start import handicap, share


@pytest.mark.parametrize(
    ("age", "ramp", "part"),
    [(0, 60, 0.0), (15, 60, 0.25), (60, 60, 1.0), (1e9, 60, 1.0), (-1, 60, 0.0), (0, 0, 1.0)],
)
def test_the_share_grows_from_nothing_to_all(age: float, ramp: float, part: float) -> None:
    assert share(age, ramp) == part


def test_what_is_taken_off_is_the_part_of_the_lead_that_does_not_count_yet() -> None:
    assert handicap(0.9, 0.5, 0.0) == pytest.approx(0.4)
    assert handicap(0.9, 0.5, 0.25) == pytest.approx(0.3)
    assert handicap(0.9, 0.5, 1.0) == 0.0


def test_who_is_behind_needs_no_handicap() -> None:
    assert handicap(0.3, 0.5, 0.0) == 0.0
