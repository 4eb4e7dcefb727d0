from __future__ import annotations

import random

import pytest

from nrs.simulation.routers import SimulatedRouter

WALL = 1_700_000_000.0


def router(flow_seconds: float = 0.0, capacity: float = 1000.0) -> SimulatedRouter:
    return SimulatedRouter(1, capacity, flow_seconds, random.Random(1))  # noqa: S311


def mbps(of: SimulatedRouter, now: float) -> float:
    return of.report(now, WALL + now).bandwidth_mbps


def test_a_report_has_the_mean_since_the_one_before() -> None:
    found = router()
    found.attach(100.0, 0.0, planned=False)
    assert mbps(found, 10.0) == pytest.approx(100.0)
    found.attach(200.0, 15.0, planned=False)
    assert found.load(15.0) == 300.0
    assert mbps(found, 20.0) == pytest.approx(200.0)
    assert mbps(found, 30.0) == pytest.approx(300.0)


def test_after_a_planned_move_flows_follow_little_by_little() -> None:
    left, taken = router(10.0), router(10.0)
    left.attach(100.0, 0.0, planned=False)
    mbps(left, 100.0)
    left.attach(-100.0, 100.0, planned=True)
    taken.attach(100.0, 100.0, planned=True)
    for now, stayed in ((100.0, 100.0), (110.0, 36.8), (200.0, 0.0)):
        assert left.load(now) == pytest.approx(stayed, abs=0.1)
        assert taken.load(now) == pytest.approx(100.0 - stayed, abs=0.1)
    assert mbps(left, 200.0) == pytest.approx(10.0, abs=0.1)


def test_no_more_is_carried_than_it_can() -> None:
    found = router(capacity=50.0)
    found.attach(100.0, 0.0, planned=False)
    assert found.load(1.0) == 100.0
    report = found.report(10.0, WALL)
    assert report.bandwidth_mbps == pytest.approx(50.0)
    assert report.cpu_percent > 90
    assert report.max_bandwidth_mbps == 50.0


def test_the_tide_lifts_what_is_carried() -> None:
    found = router()
    found.attach(100.0, 0.0, planned=False)
    found.turn_tide(1.5, 5.0)
    assert found.load(5.0) == 150.0
    assert mbps(found, 10.0) == pytest.approx(125.0)


def test_a_change_of_demand_is_no_move() -> None:
    found = router(10.0)
    found.attach(100.0, 0.0, planned=False)
    found.change(50.0, 5.0)
    assert found.load(5.0) == 150.0


def test_who_comes_back_begins_anew() -> None:
    found = router(10.0)
    found.attach(100.0, 0.0, planned=False)
    found.attach(-100.0, 10.0, planned=True)
    found.forget_flows(20.0)
    assert found.load(20.0) == 0.0
    assert mbps(found, 30.0) == 0.0


def test_packets_go_up_with_the_traffic() -> None:
    found = router()
    found.attach(8.0, 0.0, planned=False)
    first, second = found.report(10.0, WALL), found.report(20.0, WALL + 10)
    assert 0 < first.total_rx_packets < second.total_rx_packets
