from __future__ import annotations

from collections import Counter

import pytest

from nrs.balancer.decide import balancer as module
from nrs.balancer.decide import registry
from nrs.balancer.decide.algorithm import Algorithm, Weights
from nrs.balancer.decide.balancer import Balancer, Choice, UnknownEndpoint
from nrs.balancer.decide.instant import Instant
from nrs.balancer.decide.member import Ranked
from nrs.balancer.decide.placement import NoRouter
from nrs.balancer.decide.registry import RegistryFull, ReportRefused
from nrs.balancer.decide.rule import Reason
from nrs.balancer.decide.standing import State, Status
from nrs.balancer.decide.table import Listed
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


def share_out(balancer: Balancer, now: float, count: int) -> Counter[str]:
    """Where so many new endpoints are sent."""
    return Counter(chosen(balancer, now, f"e{number}") for number in range(count))


def test_endpoints_spread_before_any_report_shows_them(balancer: Balancer) -> None:
    reports(balancer, 0, router_1=0.0, router_2=0.0, router_3=0.0)
    assert set(share_out(balancer, 1.0, 90).values()) == {30}


def test_a_larger_router_takes_more() -> None:
    balancer = Balancer(Algorithm(), 10.0)
    for number, mbps in ((1, 500.0), (2, 1000.0), (3, 2000.0)):
        what = report(f"router_{number}", max_bandwidth_mbps=mbps)
        balancer.report(what, 0.0, WALL)
    sent = share_out(balancer, 1.0, 210)
    assert sent["router_1"] == pytest.approx(30, abs=2)
    assert sent["router_3"] == pytest.approx(120, abs=2)


def test_a_dead_routers_endpoints_spread_over_the_rest(balancer: Balancer) -> None:
    reports(balancer, 0, router_1=0.0, router_2=0.0, router_3=0.0)
    sent = share_out(balancer, 1.0, 90)
    for now in (10, 20, 30):
        reports(balancer, now, router_2=0.3, router_3=0.3)
    after = share_out(balancer, 31.0, 90)
    assert after["router_1"] == 0
    assert after["router_2"] == pytest.approx(sent["router_2"] + 15, abs=2)


def test_by_score_alone_two_percent_move_in_a_cycle() -> None:
    balancer = Balancer(Algorithm(anti_flap_hold_time=0.0), 10.0)
    reports(balancer, 0, router_1=0.1)
    share_out(balancer, 1.0, 200)
    moved = []
    for now in range(10, 60, 10):
        reports(balancer, now, router_1=0.9, router_2=0.1)
        decisions = [
            balancer.decide(f"e{number}", None, None, now + number / 20) for number in range(200)
        ]
        moved.append(sum(d.reason is Reason.BETTER for d in decisions))
        assert {d.reason for d in decisions} <= {
            Reason.BETTER,
            Reason.LIMITED,
            Reason.BEST,
            Reason.BELOW_THRESHOLD,
        }
    assert max(moved) == 4


def test_a_drain_moves_all_at_once(balancer: Balancer) -> None:
    reports(balancer, 0, router_1=0.1)
    share_out(balancer, 1.0, 200)
    reports(balancer, 10, router_1=0.1, router_2=0.1, router_3=0.1)
    balancer.set_state("router_1", State.DRAINING)
    assert set(share_out(balancer, 11.0, 200).values()) == {100}


def test_an_endpoint_that_does_not_follow_is_asked_again_after_the_hold(
    balancer: Balancer,
) -> None:
    def ask(now: float) -> Choice:
        return balancer.decide("e", None, "router_1", now)

    reports(balancer, 0, router_1=0.1)
    ask(1.0)
    for now in range(10, 71, 10):
        reports(balancer, now, router_1=0.9, router_2=0.1)
    assert ask(71.0).router.report.server_id == "router_2"
    held = ask(81.0)
    assert held.router.report.server_id == "router_1"
    assert held.reason is Reason.HELD
    views = balancer.routers(81.0)
    assert [v.effective_score for v in views] == [pytest.approx(v.score) for v in views]
    reports(balancer, 91, router_1=0.9, router_2=0.1)
    assert ask(101.0).router.report.server_id == "router_2"


def test_an_endpoint_that_has_fled_is_decided_for_from_where_it_is(balancer: Balancer) -> None:
    reports(balancer, 0, router_1=0.5, router_2=0.55, router_3=0.9)
    assert balancer.decide("e", None, None, 1.0).router.report.server_id == "router_1"
    reports(balancer, 2, router_2=0.55, router_3=0.9)
    decision = balancer.decide("e", None, "router_2", 5.0)
    assert decision.previous == decision.router.report.server_id == "router_2"
    assert chosen(balancer, 5.0, "new") != "router_1", "whom somebody has just left"


def test_who_has_fled_to_a_worse_router_is_placed_anew_without_waiting(balancer: Balancer) -> None:
    reports(balancer, 0, router_1=0.1, router_2=0.3, router_3=0.9)
    assert chosen(balancer, 1.0) == "router_1"
    reports(balancer, 2, router_2=0.3, router_3=0.9)
    decision = balancer.decide("e", None, "router_3", 5.0)
    assert decision.router.report.server_id == "router_2"
    assert decision.reason is Reason.BETTER


def test_who_asks_twice_at_once_is_held_all_the_same(balancer: Balancer) -> None:
    reports(balancer, 0, router_1=0.2, router_2=0.5)
    assert chosen(balancer, 5.0) == "router_1"
    reports(balancer, 5, router_1=0.9, router_2=0.1)
    assert balancer.decide("e", None, None, 5.0).reason is Reason.HELD


def test_nobody_is_sent_back_to_a_router_that_was_just_fled_from(balancer: Balancer) -> None:
    reports(balancer, 0, router_1=0.1)
    balancer.report(report("router_2", draining=True), 0.0, WALL)
    assert chosen(balancer, 1.0) == "router_1"
    decision = balancer.decide("e", None, "router_2", 5.0)
    assert decision.router.report.server_id == "router_2"
    reports(balancer, 10, router_1=0.1)
    assert balancer.decide("e", None, "router_2", 11.0).reason is Reason.ROUTER_LOST


def test_an_endpoint_that_is_not_known_starts_where_it_says(balancer: Balancer) -> None:
    reports(balancer, 0, router_1=0.50, router_2=0.52)
    decision = balancer.decide("e", None, "router_2", 1.0)
    assert decision.router.report.server_id == "router_2"
    assert decision.reason is Reason.BELOW_THRESHOLD


def test_after_a_start_nobody_is_moved_from_a_router_that_is_yet_to_report(
    balancer: Balancer,
) -> None:
    reports(balancer, 0, router_1=0.5)
    with pytest.raises(NoRouter, match="router_2, which the endpoint uses, has not reported yet"):
        balancer.decide("e", None, "router_2", 1.0)
    reports(balancer, 29, router_1=0.5)
    assert balancer.decide("e", None, "router_2", 30.0).router.report.server_id == "router_1"


def test_a_ranking_has_all_candidates_best_first(balancer: Balancer) -> None:
    reports(balancer, 0, router_1=0.5, router_2=0.2, router_3=0.1, router_4=0.0)
    balancer.set_state("router_3", State.DRAINING)
    decision = balancer.decide("e", ["router_1", "router_3", "router_2", "router_9"], None, 1.0)
    assert [ranked.router_id for ranked in decision.ranking] == ["router_2", "router_1", "router_3"]
    best, _, drained = decision.ranking
    assert best.score == pytest.approx(0.8)
    assert best.effective_score < best.score, "the endpoint itself is on its way"
    assert best.parts == pytest.approx((0.8, 0.8, 0.8, 0.8))
    assert drained.status is Status.DRAINING


def test_a_ranking_keeps_up_with_the_router(balancer: Balancer) -> None:
    def ranked(now: float) -> Ranked:
        return balancer.decide("e", ["router_1"], None, now).ranking[0]

    reports(balancer, 0, router_1=0.5)
    ranked(1.0)
    first = ranked(2.0)
    assert ranked(2.5) is first
    reports(balancer, 3, router_1=0.2)
    assert ranked(3.5).parts == pytest.approx((0.8, 0.8, 0.8, 0.8))
    balancer.set_state("router_1", State.DRAINING)
    assert ranked(4.0).status is Status.DRAINING


def test_questions_are_spread(monkeypatch: pytest.MonkeyPatch) -> None:
    balancer = Balancer(Algorithm(), 10.0, seed=1)
    reports(balancer, 0, router_1=0.5)
    pauses = [balancer.decide("e", None, None, 1.0).poll_after for _ in range(1000)]
    assert 8.0 <= min(pauses) < 8.1
    assert 11.9 < max(pauses) <= 12.0
    monkeypatch.setattr(module, "DECISIONS_PER_S", 0.5)
    decision = balancer.decide("e", None, None, 1.0)
    assert decision.poll_at_least == pytest.approx(decision.poll_after / 5)
    monkeypatch.setattr(module, "DECISIONS_PER_S", 1.0)
    share_out(balancer, 1.0, 100)
    decision = balancer.decide("e", None, None, 1.0)
    assert 80.0 <= decision.poll_after <= 122.0
    assert decision.poll_at_least == decision.poll_after
    assert decision.valid_until == pytest.approx(1.0 + 3 * decision.poll_after)


def test_decisions_are_explained(balancer: Balancer) -> None:
    reports(balancer, 100, router_1=0.2, router_2=0.5)
    for now in (101.0, 111.0, 121.0):
        balancer.decide("e", None, None, now)
    balancer.set_state("router_1", State.DISABLED)
    balancer.decide("e", None, None, 122.0)
    first, stayed, moved = balancer.explain("e")
    assert (first.router_id, first.previous, first.reason) == ("router_1", None, Reason.FIRST)
    assert (stayed.first, stayed.last, stayed.count) == (111.0, 121.0, 2)
    assert (moved.router_id, moved.previous) == ("router_2", "router_1")
    assert moved.reason is Reason.ROUTER_LOST
    assert moved.score == pytest.approx(0.5)
    with pytest.raises(UnknownEndpoint):
        balancer.explain("nobody")


def test_what_is_refused_is_counted(balancer: Balancer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "MOST_ROUTERS", 1)
    reports(balancer, 10, router_1=0.5)
    for what, wall in (("router_1", WALL), ("router_1", WALL + 1000), ("router_2", WALL + 11)):
        with pytest.raises((ReportRefused, RegistryFull)):
            balancer.report(report(what, timestamp=wall), 11.0, WALL + 11)
    assert balancer.refusals == {"older": 1, "future": 1, "full": 1}


def test_the_decisions_are_listed(balancer: Balancer) -> None:
    reports(balancer, 0, router_1=0.5)
    chosen(balancer, 1.0, "a")
    chosen(balancer, 2.0, "b")
    chosen(balancer, 3.0, "a")
    ids = balancer.endpoint_ids(4.0)
    assert ids == ["b", "a"]
    assert balancer.listed([*ids, "nobody"], Instant(4.0, WALL + 4.0)) == [
        Listed("b", "router_1", WALL + 2.0, WALL + 2.0),
        Listed("a", "router_1", WALL + 1.0, WALL + 3.0),
    ]
    assert balancer.endpoint_ids(5000.0) == []


def test_since_when_an_endpoint_is_where_it_said_is_not_known(balancer: Balancer) -> None:
    reports(balancer, 0, router_1=0.5)
    balancer.decide("e", None, "router_1", 1.0)
    (listed,) = balancer.listed(["e"], Instant(2.0, WALL + 2.0))
    assert listed.since is None


def test_a_choice_knows_whether_it_moves_the_endpoint(balancer: Balancer) -> None:
    reports(balancer, 0, router_1=0.1)
    assert not balancer.decide("e", None, None, 0.0).moves
    assert not balancer.decide("e", None, None, 1.0).moves
    reports(balancer, 10, router_2=0.1)
    balancer.set_state("router_1", State.DISABLED)
    assert balancer.decide("e", None, None, 11.0).moves


def test_a_report_of_another_load_balancer_is_taken_where_it_is_lacking(
    balancer: Balancer,
) -> None:
    reports(balancer, 0, router_1=0.5)
    now, wall = 20.0, WALL + 20.0
    balancer.adopt_report(report("router_1", 0.2, timestamp=wall), wall, now, wall)
    balancer.adopt_report(report("router_2", timestamp=wall + 1000), wall, now, wall)
    assert [view.score for view in balancer.routers(now)] == [pytest.approx(0.8)]
    assert balancer.refusals == {"future": 1}
