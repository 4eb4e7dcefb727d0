from __future__ import annotations

import json
from typing import Any

import pytest

from nrs.balancer.decide.algorithm import Algorithm
from nrs.balancer.decide.balancer import Balancer
from nrs.balancer.decide.placement import NoRouter
from nrs.balancer.decide.rule import Reason
from nrs.balancer.decide.snapshot import SnapshotDamaged
from nrs.balancer.decide.standing import State
from tests.balancer.reports import WALL, report

REBOOTED_AT = 7.0
"""What the other clock shows after the restart."""


def reports(balancer: Balancer, now: float, wall: float, **loads: float) -> None:
    for router_id, load in loads.items():
        balancer.report(report(router_id, load, timestamp=wall), now, wall)


def dumped(balancer: Balancer, now: float, wall: float) -> str:
    endpoints = balancer.dump_endpoints(balancer.endpoint_ids(now), now, wall)
    return json.dumps({**balancer.dump_routers(now, wall), "endpoints": endpoints})


@pytest.fixture
def kept() -> str:
    """Endpoint a is at router 1 since 5 s before the end, b at router 2; router 3 is drained."""
    balancer = Balancer(Algorithm(), 10.0)
    reports(balancer, 1000.0, WALL, router_1=0.1, router_2=0.9, router_3=0.1)
    balancer.set_state("router_3", State.DRAINING)
    assert at(balancer, "b", 1000.0, ["router_2"]) == "router_2"
    assert at(balancer, "a", 1005.0) == "router_1"
    return dumped(balancer, 1010.0, WALL + 10.0)


def restarted(kept: str, after: float) -> Balancer:
    balancer = Balancer(Algorithm(), 10.0)
    balancer.load(json.loads(kept), REBOOTED_AT, WALL + 10.0 + after)
    return balancer


def at(balancer: Balancer, endpoint: str, now: float, candidates: list[str] | None = None) -> str:
    return balancer.decide(endpoint, candidates, None, now).router.report.server_id


@pytest.mark.parametrize("after", [1.0, 300.0])
def test_a_restart_moves_nobody_however_long_it_took(kept: str, after: float) -> None:
    balancer = restarted(kept, after)
    assert at(balancer, "a", REBOOTED_AT) == "router_1"
    assert at(balancer, "b", REBOOTED_AT) == "router_2"
    assert balancer.states == {"router_3": State.DRAINING}


def test_a_hold_goes_on_over_a_restart(kept: str) -> None:
    balancer = restarted(kept, 2.0)
    reports(balancer, REBOOTED_AT + 1, WALL + 13, router_1=0.9, router_2=0.1)
    # 8 s of it had passed.
    assert balancer.decide("a", None, None, REBOOTED_AT + 21).reason is Reason.HELD
    reports(balancer, REBOOTED_AT + 22, WALL + 34, router_1=0.9, router_2=0.1)
    assert balancer.decide("a", None, None, REBOOTED_AT + 24).reason is Reason.BETTER


def test_candidates_are_still_known(kept: str) -> None:
    balancer = restarted(kept, 2.0)
    balancer.set_state("router_2", State.DISABLED)
    with pytest.raises(NoRouter, match="router_2"):
        at(balancer, "b", REBOOTED_AT)


def test_a_router_that_is_gone_meanwhile_is_left_in_three_intervals(kept: str) -> None:
    balancer = restarted(kept, 300.0)
    for now in (5.0, 15.0, 25.0):
        reports(balancer, REBOOTED_AT + now, WALL + 310 + now, router_2=0.9, router_3=0.1)
    assert at(balancer, "a", REBOOTED_AT + 29.9) == "router_1"
    assert at(balancer, "a", REBOOTED_AT + 30.0) == "router_2"


def test_what_is_on_its_way_is_still_counted(kept: str) -> None:
    balancer = restarted(kept, 2.0)
    view = balancer.routers(REBOOTED_AT)[0]
    assert view.effective_score < view.score


def test_an_ejection_goes_on_over_a_restart() -> None:
    balancer = Balancer(Algorithm(), 10.0)
    loads = {f"router_{number}": 0.1 for number in (1, 2, 3)}
    reports(balancer, 0.0, WALL, **loads)
    packets: dict[str, Any] = {"total_rx_packets": 0, "total_tx_packets": 0}
    balancer.report(report("router_1", 0.5, timestamp=WALL + 1, **packets), 1.0, WALL + 1)
    again = Balancer(Algorithm(), 10.0)
    again.load(json.loads(dumped(balancer, 2.0, WALL + 2)), 500.0, WALL + 4)
    statuses = [view.standing.status.value for view in again.routers(506.9)]
    assert statuses == ["ejected", "active", "active"]
    assert [view.active for view in again.routers(507.0)] == [True] * 3


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"version": 2}, "version"),
        ({"endpoints": {"a": ["router_1"]}}, "endpoints.a"),
        ({"routers": [{"report": {}}]}, "routers.0.report"),
        ({"states": {"router_1": "asleep"}}, "states.router_1"),
    ],
)
def test_damage_is_named_and_nothing_of_it_is_taken(
    kept: str, change: dict[str, Any], said: str
) -> None:
    balancer = Balancer(Algorithm(), 10.0)
    with pytest.raises(SnapshotDamaged, match=said):
        balancer.load({**json.loads(kept), **change}, REBOOTED_AT, WALL)
    assert balancer.routers(REBOOTED_AT) == []
    assert balancer.states == {}
    with pytest.raises(SnapshotDamaged):
        balancer.load([], REBOOTED_AT, WALL)
