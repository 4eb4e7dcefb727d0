from __future__ import annotations

import pytest

from nrs.balancer import registry
from nrs.balancer.config import Algorithm, Weights
from nrs.balancer.core import Balancer, NoRouter
from nrs.balancer.decision import Reason
from nrs.balancer.registry import ReportRefused
from tests.balancer.reports import WALL, report


@pytest.fixture
def balancer() -> Balancer:
    return Balancer(Algorithm(), 10.0)


def reports(balancer: Balancer, now: float, **loads: float) -> None:
    for router_id, load in loads.items():
        balancer.report(report(router_id, load, timestamp=WALL + now), now, WALL + now)


def chosen(
    balancer: Balancer, now: float, endpoint: str = "e", candidates: list[str] | None = None
) -> str:
    return balancer.decide(endpoint, candidates, None, now).router.report.server_id


def test_a_decision_carries_router_and_score(balancer: Balancer) -> None:
    reports(balancer, 0, router_1=0.5, router_2=0.25)
    decision = balancer.decide("e", None, None, 1.0)
    assert decision.router.report.server_id == "router_2"
    assert decision.score == pytest.approx(0.75)
    assert decision.reason is Reason.FIRST
    assert decision.previous is None


def test_an_endpoint_is_held_then_moved(balancer: Balancer) -> None:
    reports(balancer, 0, router_1=0.2, router_2=0.5)
    assert chosen(balancer, 0) == "router_1"
    reports(balancer, 10, router_1=0.9, router_2=0.1)
    assert chosen(balancer, 20) == "router_1"
    reports(balancer, 20, router_1=0.9, router_2=0.1)
    assert chosen(balancer, 30) == "router_2"
    reports(balancer, 40, router_1=0.1, router_2=0.9)
    assert chosen(balancer, 59) == "router_2"
    assert chosen(balancer, 60) == "router_1"


def test_holds_are_each_endpoints_own(balancer: Balancer) -> None:
    reports(balancer, 0, router_1=0.2, router_2=0.5)
    chosen(balancer, 0, "a")
    chosen(balancer, 15, "b")
    reports(balancer, 25, router_1=0.9, router_2=0.1)
    assert chosen(balancer, 31, "a") == "router_2"
    assert chosen(balancer, 31, "b") == "router_1"


def test_a_silent_router_is_left_within_the_hold(balancer: Balancer) -> None:
    reports(balancer, 0, router_1=0.1)
    reports(balancer, 20, router_2=0.9)
    assert chosen(balancer, 20) == "router_1"
    decision = balancer.decide("e", None, None, 30.0)
    assert decision.router.report.server_id == "router_2"
    assert decision.reason is Reason.ROUTER_LOST
    assert decision.previous == "router_1"


def test_an_endpoint_returns_to_where_it_was_after_an_outage_of_all(balancer: Balancer) -> None:
    reports(balancer, 0, router_1=0.2, router_2=0.21)
    assert chosen(balancer, 0) == "router_1"
    with pytest.raises(NoRouter):
        chosen(balancer, 100)
    reports(balancer, 110, router_1=0.21, router_2=0.2)
    assert chosen(balancer, 110) == "router_1"


def test_candidates_restrict_and_unknown_ones_are_passed_over(balancer: Balancer) -> None:
    reports(balancer, 0, router_1=0.0, router_2=0.5, router_3=0.6)
    assert chosen(balancer, 0, candidates=["router_3", "router_2", "router_9"]) == "router_2"


def test_candidates_are_remembered_for_who_asks_without(balancer: Balancer) -> None:
    reports(balancer, 0, router_1=0.0, router_2=0.5, router_3=0.6)
    assert chosen(balancer, 0, "a", ["router_2", "router_3"]) == "router_2"
    reports(balancer, 20, router_1=0.0, router_2=0.5, router_3=0.1)
    assert chosen(balancer, 30, "a") == "router_3"
    assert chosen(balancer, 30, "b") == "router_1"


def test_a_change_of_candidates_moves_at_once(balancer: Balancer) -> None:
    reports(balancer, 0, router_1=0.0, router_2=0.5, router_3=0.6)
    assert chosen(balancer, 0, candidates=["router_1", "router_3"]) == "router_1"
    assert chosen(balancer, 1, candidates=["router_2", "router_3"]) == "router_2"


def test_no_router_says_why(balancer: Balancer) -> None:
    with pytest.raises(NoRouter, match="no routing server has reported yet"):
        chosen(balancer, 0)
    reports(balancer, 0, router_1=0.0)
    reports(balancer, 5, router_2=0.0)
    with pytest.raises(NoRouter, match="candidates has reported yet: router_8, router_9"):
        chosen(balancer, 1, candidates=["router_8", "router_9"])
    with pytest.raises(NoRouter, match=r"without a report: router_1 for 50 s, router_2 for 45 s$"):
        chosen(balancer, 50)
    with pytest.raises(NoRouter, match=r"without a report: router_2 for 45 s$"):
        chosen(balancer, 50, candidates=["router_2", "router_9"])
    assert balancer.active_decisions(50) == 0


def test_the_reason_has_a_limit(balancer: Balancer) -> None:
    reports(balancer, 0, **{f"router_{number}": 0.0 for number in range(1, 200)})
    with pytest.raises(NoRouter) as caught:
        chosen(balancer, 60)
    assert len(str(caught.value)) < 250


def test_a_refused_report_changes_no_score(balancer: Balancer) -> None:
    reports(balancer, 10, router_1=0.5)
    with pytest.raises(ReportRefused):
        reports(balancer, 9, router_1=0.0)
    assert [view.score for view in balancer.routers(10)] == [pytest.approx(0.5)]


def test_another_algorithm_counts_at_once_and_keeps_what_is_known(balancer: Balancer) -> None:
    balancer.report(report("router_1", cpu_percent=90.0), 0.0, WALL)
    balancer.report(report("router_2", memory_percent=90.0), 0.0, WALL)
    assert chosen(balancer, 0) == "router_2"
    only_memory = Weights(cpu=0, memory=1, bandwidth=0, connections=0)
    balancer.configure(
        Algorithm(weights=only_memory, anti_flap_hold_time=0.0, anti_flap_threshold=0.0), 2.0
    )
    assert [view.score for view in balancer.routers(1)] == [1.0, pytest.approx(0.1)]
    assert chosen(balancer, 1) == "router_1"
    assert [view.active for view in balancer.routers(5.9)] == [True, True]
    assert [view.active for view in balancer.routers(6.0)] == [False, False]


def test_routers_are_listed_by_id_with_their_state(balancer: Balancer) -> None:
    reports(balancer, 0, router_2=0.5)
    reports(balancer, 20, router_1=0.1)
    views = balancer.routers(30)
    assert [(view.router.report.server_id, view.active) for view in views] == [
        ("router_1", True),
        ("router_2", False),
    ]


def test_a_forgotten_router_leaves_nothing_behind(
    balancer: Balancer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "MOST_ROUTERS", 1)
    reports(balancer, 0, router_1=0.1)
    assert chosen(balancer, 0) == "router_1"
    reports(balancer, 40, router_2=0.2)
    assert [view.router.report.server_id for view in balancer.routers(40)] == ["router_2"]
    assert chosen(balancer, 40) == "router_2"
