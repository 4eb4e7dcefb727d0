"""The rates of a router."""

from __future__ import annotations

import pytest

from bench.router_rate import Rate, both_ways


def test_a_rate_is_by_processor_time_and_by_the_clock() -> None:
    rate = Rate(carried=1e9, seconds=4.0, cpu_seconds=2.0)
    assert (rate.per_cpu_second, rate.gbps, rate.cpu_percent) == (5e8, 2.0, 50.0)


def test_the_slower_way_weighs_more() -> None:
    assert both_ways(2.0, 2.0) == 2.0
    assert both_ways(1.0, 3.0) == pytest.approx(1.5)
