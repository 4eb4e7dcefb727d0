from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from nrs.balancer.decide import fleet as module
from nrs.balancer.decide import history, registry
from nrs.balancer.decide.algorithm import Algorithm
from nrs.balancer.decide.fleet import Fleet
from nrs.balancer.decide.standing import UNUSABLE, State, Status
from tests.balancer.reports import WALL, report


class Routers:
    """A fleet whose routers report every 10 s, all or some of them."""

    def __init__(self, count: int) -> None:
        self.fleet = Fleet(Algorithm(), 10.0)
        self.count = count
        self.now = 0.0

    def report(
        self, numbers: Iterable[int] | None = None, load: float = 0.5, **changes: Any
    ) -> None:
        for number in numbers if numbers is not None else range(1, self.count + 1):
            what = report(f"router_{number}", load, timestamp=WALL + self.now, **changes)
            self.fleet.accept(what, self.now, WALL + self.now)

    def until(self, end: float, numbers: Iterable[int] | None = None) -> None:
        """Let time pass; only these routers report."""
        reporting = None if numbers is None else list(numbers)
        while self.now < end:
            self.now += 10.0
            self.report(reporting)
            self.statuses()

    def statuses(self) -> list[str]:
        self.fleet.refresh(self.now, 10)
        members = self.fleet.members
        return [members[f"router_{n}"].standing.status.value for n in range(1, self.count + 1)]

    def usable(self) -> list[str]:
        self.fleet.refresh(self.now, 10)
        return sorted(m.router_id for m in self.fleet.options(list(self.fleet.members)) if m.open)


@pytest.fixture
def routers() -> Routers:
    found = Routers(4)
    found.report()
    found.until(60.0)
    return found


def test_silence_ejects_for_longer_each_time(routers: Routers) -> None:
    back_after = []
    for _ in range(4):
        routers.until(routers.now + 30, [2, 3, 4])
        assert routers.statuses()[0] == "inactive"
        silent_until = routers.now
        while routers.statuses()[0] != "active":
            routers.until(routers.now + 10)
        back_after.append(routers.now - silent_until)
    assert back_after == [10, 20, 40, 80]


def test_traffic_without_a_packet_ejects(routers: Routers) -> None:
    routers.now += 10
    routers.report([2, 3, 4])
    routers.report([1], total_rx_packets=5, total_tx_packets=5)
    assert routers.statuses()[0] == "active"
    routers.now += 10
    routers.report([2, 3, 4])
    routers.report([1], total_rx_packets=5, total_tx_packets=5)
    assert routers.statuses() == ["ejected", "active", "active", "active"]
    reason = routers.fleet.members["router_1"].standing.reason
    assert reason == "it reported 500 Mb/s without a packet"
    routers.now += 9.9
    assert routers.statuses()[0] == "ejected"
    routers.now += 0.1
    routers.report()
    assert routers.statuses()[0] == "active"


def test_a_report_that_arrives_twice_is_not_contradicting_itself(routers: Routers) -> None:
    routers.now += 10
    routers.report()
    routers.report([1])
    assert routers.statuses() == ["active"] * 4


def test_a_report_that_arrives_twice_shows_no_move_that_it_did_not_show_before(
    routers: Routers,
) -> None:
    member = routers.fleet.members["router_1"]
    routers.now += 10
    routers.report()
    routers.fleet.move(None, member, 10.0, routers.now - 1, gradual=False)
    routers.fleet.move(None, member, 10.0, routers.now, gradual=False)
    unseen = member.pending.mbps
    routers.fleet.accept(member.router.report, routers.now + 0.01, WALL + routers.now)
    assert member.pending.mbps == unseen > 10.0


def test_an_idle_router_is_not_contradicting_itself(routers: Routers) -> None:
    for _ in range(3):
        routers.now += 10
        routers.report(load=0.0, total_rx_packets=5, total_tx_packets=5)
    assert routers.statuses() == ["active"] * 4


def test_half_of_the_routers_may_be_out(routers: Routers) -> None:
    routers.until(routers.now + 30, [1, 2])
    assert routers.usable() == ["router_1", "router_2"]
    assert routers.fleet.members["router_3"].rank == UNUSABLE


def test_with_more_than_half_silent_nobody_has_to_leave_and_nobody_is_sent_there(
    routers: Routers,
) -> None:
    routers.until(routers.now + 30, [1])
    assert routers.statuses() == ["active", "inactive", "inactive", "inactive"]
    silent = routers.fleet.members["router_3"]
    assert silent.rank == routers.fleet.members["router_1"].rank
    assert not silent.open
    assert routers.usable() == ["router_1"]


def test_with_all_silent_none_is_usable(routers: Routers) -> None:
    routers.now += 30
    assert routers.usable() == []


def test_routers_that_are_gone_are_nothing_to_panic_about(routers: Routers) -> None:
    routers.until(routers.now + 30 * module.GONE_AFTER, [1, 2])
    routers.until(routers.now + 30, [1])
    assert routers.fleet.members["router_2"].rank == UNUSABLE
    assert routers.fleet.members["router_3"].rank == UNUSABLE


def test_routers_that_are_disabled_are_nothing_to_panic_about(routers: Routers) -> None:
    for number in (2, 3):
        routers.fleet.set_state(f"router_{number}", State.DISABLED)
    routers.until(routers.now + 30, [1])
    assert routers.fleet.members["router_4"].rank == UNUSABLE


def test_in_panic_an_ejection_is_ignored(routers: Routers) -> None:
    for _ in range(2):
        routers.now += 10
        routers.report([4])
        routers.report([1, 2, 3], total_rx_packets=5, total_tx_packets=5)
    assert routers.statuses() == ["active"] * 4


def test_a_new_router_has_a_handicap_that_goes(routers: Routers) -> None:
    routers.now += 5
    routers.report([5], load=0.0)
    routers.fleet.refresh(routers.now, 10)
    members = routers.fleet.members
    effective = []
    for _ in range(7):
        routers.fleet.refresh(routers.now, 10)
        effective.append(members["router_5"].effective)
        routers.now += 10
        routers.report(load=0.5)
        routers.report([5], load=0.0)
    assert effective[0] == pytest.approx(members["router_1"].score)
    assert effective == sorted(effective)
    assert effective[-1] == pytest.approx(1.0)


def test_at_the_start_all_are_warm() -> None:
    routers = Routers(2)
    routers.report(load=0.1)
    assert routers.statuses() == ["active"] * 2
    assert routers.fleet.members["router_1"].handicap == 0.0


def test_any_router_means_the_best_few() -> None:
    fleet = Fleet(Algorithm(), 10.0)
    for number in range(1, 101):
        fleet.accept(report(f"router_{number}", number / 200), 0.0, WALL)
    fleet.refresh(0.0, 10)
    best = [member.router_id for member in fleet.options(None)]
    assert best == [f"router_{n}" for n in range(1, module.MOST_RANKED + 1)]
    assert fleet.members["router_1"].standing.status is Status.ACTIVE


def test_the_best_few_are_found_anew_as_endpoints_move() -> None:
    fleet = Fleet(Algorithm(), 10.0)
    for number in range(1, 101):
        fleet.accept(report(f"router_{number}", 0.5), 0.0, WALL)
    fleet.refresh(0.0, 100)
    sent = set()
    for _ in range(500):
        target = max(fleet.options(None), key=lambda m: m.effective)
        fleet.move(None, target, 10.0, 0.0, gradual=False)
        sent.add(target.router_id)
    assert len(sent) > 50


def test_numbers_are_used_again_when_there_are_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(history, "NOBODY", 3)
    monkeypatch.setattr(registry, "MOST_ROUTERS", 2)
    fleet = Fleet(Algorithm(), 10.0)
    for number in range(1, 9):
        now = 100.0 * number
        fleet.accept(report(f"router_{number}", timestamp=WALL + now), now, WALL + now)
        assert len({member.number for member in fleet.members.values()}) == min(number, 2)
        for member in fleet.members.values():
            assert member.number < 3
            assert fleet.numbers.name(member.number) == member.router_id


def test_each_router_is_scored_by_what_it_can_carry() -> None:
    fleet = Fleet(Algorithm(), 10.0)
    scores = [
        fleet.accept(report(f"router_{n}", 0.5, **more), 0.0, WALL).score
        for n, more in ((1, {}), (2, {"max_bandwidth_mbps": 2000.0}), (3, {"max_connections": 50}))
    ]
    assert scores == [pytest.approx(0.5), pytest.approx(0.575), pytest.approx(0.4)]
