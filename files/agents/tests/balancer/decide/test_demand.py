from __future__ import annotations

import pytest

from nrs.balancer.decide.algorithm import Weights
from nrs.balancer.decide.demand import Totals, believed, cost_per_mbps, cpu_ratio, per_endpoint


def fleet(
    mbps: float, capacity: float = 1000.0, cpu: float = 0.0, bandwidth: float = 0.0
) -> Totals:
    return Totals(mbps, capacity, cpu, bandwidth)


def test_an_endpoint_carries_the_mean() -> None:
    assert per_endpoint(fleet(500.0), 50) == 10.0


def test_together_they_are_taken_to_fill_a_tenth() -> None:
    assert per_endpoint(fleet(0.0), 1000) == pytest.approx(0.1)
    assert per_endpoint(fleet(0.0), 0) == pytest.approx(1.0)


def test_the_cpu_goes_along_as_it_does_in_the_reports() -> None:
    assert cpu_ratio(fleet(0.0, cpu=0.6, bandwidth=0.3)) == pytest.approx(2.0)
    assert cpu_ratio(fleet(0.0, cpu=0.6)) == 1.0
    assert cpu_ratio(fleet(0.0, cpu=0.6, bandwidth=1e-9)) == 10.0


def test_a_large_router_pays_less_for_the_same() -> None:
    weights = Weights(cpu=1, memory=1, bandwidth=2, connections=0)
    assert cost_per_mbps(1000.0, 0.5, weights) == pytest.approx((2 + 0.5) / 4 / 1000)
    assert cost_per_mbps(2000.0, 0.5, weights) == pytest.approx((2 + 0.5) / 4 / 2000)


def test_an_endpoint_is_believed_up_to_a_limit() -> None:
    assert believed(None, 5.0) == 5.0
    assert believed(0.0, 5.0) == 0.0
    assert believed(17.0, 5.0) == 17.0
    assert believed(1e9, 5.0) == 100.0
