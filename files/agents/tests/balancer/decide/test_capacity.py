from __future__ import annotations

from nrs.balancer.decide.algorithm import Algorithm, RouterCapacity
from nrs.balancer.decide.capacity import capacity
from tests.balancer.reports import report

ALGORITHM = Algorithm(
    max_bandwidth_mbps=1000.0,
    max_connections=100,
    routers={
        "router_1": RouterCapacity(max_bandwidth_mbps=2000.0),
        "router_2": RouterCapacity(max_bandwidth_mbps=500.0, max_connections=50),
    },
)


def test_what_the_router_says_counts_before_what_is_configured() -> None:
    assert capacity(report("router_2", max_bandwidth_mbps=300.0), ALGORITHM) == (300.0, 50)
    assert capacity(report("router_2", max_connections=7), ALGORITHM) == (500.0, 7)


def test_what_is_configured_for_it_counts_before_what_holds_for_all() -> None:
    assert capacity(report("router_1"), ALGORITHM) == (2000.0, 100)
    assert capacity(report("router_3"), ALGORITHM) == (1000.0, 100)
