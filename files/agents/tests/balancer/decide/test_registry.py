from __future__ import annotations

import pytest

from nrs.balancer.decide import registry
from nrs.balancer.decide.registry import RegistryFull, ReportRefused, RouterRegistry
from tests.balancer.reports import WALL, report

INTERVAL_S = 10.0


@pytest.fixture
def routers() -> RouterRegistry:
    return RouterRegistry(INTERVAL_S)


def is_fresh(routers: RouterRegistry, router_id: str, now: float) -> bool:
    router = routers.get(router_id)
    return router is not None and routers.is_fresh(router, now)


def active_ids(routers: RouterRegistry, now: float) -> list[str]:
    names = (f"router_{number}" for number in range(1, 4))
    return [name for name in names if is_fresh(routers, name, now)]


def test_a_router_is_active_for_three_intervals(routers: RouterRegistry) -> None:
    routers.accept(report("router_1"), 100.0, WALL)
    assert is_fresh(routers, "router_1", 129.999)
    assert active_ids(routers, 129.999) == ["router_1"]
    assert not is_fresh(routers, "router_1", 130.0)
    assert active_ids(routers, 130.0) == []
    assert routers.get("router_1") is not None


def test_the_routers_clock_does_not_decide_about_it(routers: RouterRegistry) -> None:
    routers.accept(report("router_1", timestamp=1.0), 0.0, WALL)
    assert is_fresh(routers, "router_1", 1.0)


def test_an_unknown_router_is_not_active(routers: RouterRegistry) -> None:
    assert not is_fresh(routers, "router_1", 0.0)
    assert routers.get("router_1") is None


def test_the_latest_report_counts(routers: RouterRegistry) -> None:
    for second, load in enumerate((0.1, 0.2, 0.3)):
        routers.accept(report("router_1", load, timestamp=WALL + second), float(second), WALL)
    latest = routers.get("router_1")
    assert latest is not None
    assert latest.report.cpu_percent == pytest.approx(30)


def test_an_older_report_changes_nothing(routers: RouterRegistry) -> None:
    routers.accept(report("router_1", 0.5), 0.0, WALL)
    before = routers.get("router_1")
    with pytest.raises(ReportRefused, match="older than the last report of router_1") as caught:
        routers.accept(report("router_1", 0.1, timestamp=WALL - 0.001), 29.0, WALL + 29)
    assert caught.value.field == "timestamp"
    assert routers.get("router_1") is before
    assert not is_fresh(routers, "router_1", 30.0)


def test_the_same_time_stamp_is_not_older(routers: RouterRegistry) -> None:
    routers.accept(report("router_1", 0.5), 0.0, WALL)
    routers.accept(report("router_1", 0.6), 0.1, WALL)


def test_routers_have_clocks_of_their_own(routers: RouterRegistry) -> None:
    routers.accept(report("router_1"), 0.0, WALL)
    routers.accept(report("router_2", timestamp=WALL - 500), 0.0, WALL)
    assert active_ids(routers, 1.0) == ["router_1", "router_2"]


def test_a_router_whose_clock_was_set_back_returns_after_its_silence(
    routers: RouterRegistry,
) -> None:
    routers.accept(report("router_1", timestamp=WALL + 250), 0.0, WALL)
    with pytest.raises(ReportRefused):
        routers.accept(report("router_1"), 29.9, WALL + 29.9)
    routers.accept(report("router_1"), 30.0, WALL + 30)
    assert is_fresh(routers, "router_1", 30.0)


def test_a_report_from_the_future_is_refused(routers: RouterRegistry) -> None:
    routers.accept(report("router_1", timestamp=WALL + 300), 0.0, WALL)
    with pytest.raises(ReportRefused, match="301 s ahead") as caught:
        routers.accept(report("router_2", timestamp=WALL + 301), 0.0, WALL)
    assert caught.value.field == "timestamp"
    assert routers.get("router_2") is None


def test_the_number_of_routers_is_bounded(
    routers: RouterRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "MOST_ROUTERS", 2)
    assert routers.accept(report("router_1"), 0.0, WALL) is None
    assert routers.accept(report("router_2"), 5.0, WALL) is None
    with pytest.raises(RegistryFull):
        routers.accept(report("router_3"), 29.0, WALL)
    assert routers.accept(report("router_2"), 29.0, WALL) is None
    assert routers.accept(report("router_3"), 30.0, WALL) == "router_1"
    assert active_ids(routers, 30.0) == ["router_2", "router_3"]


def lacks(routers: RouterRegistry, at: float, *, sent: float, heard: float) -> bool:
    """Whether router 1's report of the second `sent` is taken, which another one got at `heard`."""
    what = report("router_1", timestamp=WALL + sent)
    return routers.lacks(what, WALL + heard, at, WALL + at)


def test_of_a_router_that_is_not_known_another_ones_report_is_taken_while_it_is_fresh(
    routers: RouterRegistry,
) -> None:
    assert lacks(routers, 29.9, sent=0.0, heard=0.0)
    assert not lacks(routers, 30.0, sent=0.0, heard=0.0)


def test_of_a_router_that_reports_here_another_ones_is_not_taken(routers: RouterRegistry) -> None:
    routers.accept(report("router_1", timestamp=WALL), 0.0, WALL)
    assert not lacks(routers, 14.9, sent=10.0, heard=10.0)
    assert lacks(routers, 15.0, sent=10.0, heard=10.0)
    assert not lacks(routers, 15.0, sent=0.0, heard=0.0), "the same once more"


def test_another_interval_counts_at_once(routers: RouterRegistry) -> None:
    routers.accept(report("router_1"), 0.0, WALL)
    routers.report_interval = 2.0
    assert is_fresh(routers, "router_1", 5.9)
    assert not is_fresh(routers, "router_1", 6.0)
    assert lacks(routers, 3.0, sent=2.0, heard=2.0)
