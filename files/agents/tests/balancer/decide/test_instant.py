from __future__ import annotations

from nrs.balancer.decide.instant import Instant


def test_a_time_of_one_clock_is_told_by_the_other_to_the_millisecond() -> None:
    at = Instant(now=100.0, wall=1_700_000_000.0)
    assert at.ahead == 1_699_999_900.0
    assert at.on_the_wall(101.23456) == 1_700_000_001.235
    assert at.on_the_wall(-5.0) == 1_699_999_895.0
