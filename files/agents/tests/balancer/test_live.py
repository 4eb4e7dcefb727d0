from __future__ import annotations

import logging
from dataclasses import dataclass

import pytest

from nrs.balancer.config import LoadBalancerConfig, Metrics
from nrs.balancer.decide.algorithm import Algorithm
from nrs.balancer.live import LiveBalancer
from tests.balancer.reports import WALL, report


@dataclass
class Clock:
    now: float = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def balancer(clock: Clock, caplog: pytest.LogCaptureFixture) -> LiveBalancer:
    caplog.set_level(logging.INFO, logger="nrs.balancer")
    return LiveBalancer(LoadBalancerConfig(), clock=clock, wall_clock=lambda: WALL + clock.now)


def test_routers_that_come_and_go_are_logged_once(
    balancer: LiveBalancer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    balancer.report(report("router_1"))
    balancer.report(report("router_1"))
    clock.now = 29.0
    balancer.watch()
    assert caplog.messages == ["router_1 is active"]
    clock.now = 30.0
    balancer.watch()
    balancer.watch()
    assert caplog.messages[1:] == ["router_1 is inactive: no report for 30 s"]
    balancer.report(report("router_1"))
    assert caplog.messages[2:] == ["router_1 is active"]


def test_moves_are_logged_with_their_reason(
    balancer: LiveBalancer, clock: Clock, caplog: pytest.LogCaptureFixture
) -> None:
    balancer.report(report("router_1", 0.1))
    balancer.report(report("router_2", 0.2))
    balancer.decide("endpoint_1", None)
    clock.now = 20.0
    balancer.report(report("router_2", 0.2))
    clock.now = 35.0
    caplog.clear()
    balancer.decide("endpoint_1", None)
    balancer.decide("endpoint_1", None)
    assert caplog.messages == [
        "endpoint_1 moves from router_1 to router_2, score 0.800: the endpoint's router cannot"
        " be used any more: the best score of the rest"
    ]


def test_a_reload_keeps_reports_and_decisions(balancer: LiveBalancer, clock: Clock) -> None:
    balancer.report(report("router_1", 0.1))
    balancer.decide("endpoint_1", None)
    balancer.configure(
        LoadBalancerConfig(
            algorithm=Algorithm(max_connections=20), metrics=Metrics(report_interval=1.0)
        )
    )
    assert balancer.active_decisions() == 1
    assert [view.score for view in balancer.routers()] == [pytest.approx(0.82)]
    clock.now = 3.0
    assert [view.active for view in balancer.routers()] == [False]
