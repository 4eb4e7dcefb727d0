"""A restart of the load balancer, as far as its decisions are concerned."""

from __future__ import annotations

import logging
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from nrs.balancer.config import LoadBalancerConfig
from nrs.balancer.decide.standing import State
from nrs.balancer.keep.store import FILE_NAME
from nrs.balancer.keeper import Keeper
from nrs.balancer.live import LiveBalancer
from tests.balancer.reports import WALL, report
from tests.serving import TIMEOUT_S


@dataclass
class Host:
    """Clocks that go on while the load balancer is restarted."""

    directory: Path
    now: float = 1000.0

    def started(self) -> LiveBalancer:
        return LiveBalancer(
            LoadBalancerConfig(),
            self.directory,
            clock=lambda: self.now,
            wall_clock=lambda: WALL + self.now,
        )


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


def reports(balancer: LiveBalancer, host: Host, *loads: float) -> None:
    host.now += 1
    when = WALL + host.now
    for number, load in enumerate(loads, 1):
        body = report(f"router_{number}", load, timestamp=when, total_rx_packets=int(when))
        balancer.report(body)
    host.now += 1


def kept(balancer: LiveBalancer, host: Host) -> Keeper:
    """A keeper that writes nothing before it is stopped, unless told to."""
    keeper = Keeper(balancer, host.directory, 10 * TIMEOUT_S)
    keeper.start()
    return keeper


def where(balancer: LiveBalancer) -> dict[str, tuple[str, float | None]]:
    page = balancer.decisions(None, 1000)
    return {listed.endpoint_id: (listed.router_id, listed.since) for listed in page.decisions}


def test_a_restart_keeps_decisions_and_holds_and_moves_nobody(host: Host) -> None:
    balancer = host.started()
    keeper = kept(balancer, host)
    reports(balancer, host, 0.3, 0.3, 0.3)
    for number in range(30):
        balancer.decide(f"endpoint_{number}", ["router_1", "router_2", "router_3"])
    before = where(balancer)
    assert len({router_id for router_id, _ in before.values()}) == 3
    keeper.stop()

    host.now += 20
    again = host.started()
    keeper = kept(again, host)
    assert where(again) == before
    # The first to report is by far the best: without hold times all would rush there.
    reports(again, host, 0.0)
    for number in range(30):
        decision = again.decide(f"endpoint_{number}", None)
        assert decision.router.report.server_id == before[f"endpoint_{number}"][0]
    assert again.moved == 0
    keeper.stop()


def test_it_writes_by_itself(host: Host) -> None:
    balancer = host.started()
    keeper = Keeper(balancer, host.directory, 0.01)
    reports(balancer, host, 0.3)
    balancer.decide("endpoint_1", None)
    keeper.start()
    deadline = time.monotonic() + TIMEOUT_S
    found: dict[str, tuple[str, float | None]] = {}
    while "endpoint_1" not in found:
        assert time.monotonic() < deadline
        # As if the first had been killed.
        other = host.started()
        copy = Keeper(other, host.directory, TIMEOUT_S)
        found = where(other)
        copy._store.close()
    keeper.stop()


def test_the_operators_states_are_those_last_set(host: Host) -> None:
    balancer = host.started()
    keeper = kept(balancer, host)
    reports(balancer, host, 0.3)
    balancer.set_state("router_1", State.DISABLED)
    keeper.stop()
    balancer.set_state("router_1", State.ACTIVE)
    again = host.started()
    kept(again, host).stop()
    assert [view.state for view in again.routers()] == [State.ACTIVE]


def test_a_damaged_store_is_put_aside(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    (host.directory / FILE_NAME).write_text("nonsense " * 1000)
    balancer = host.started()
    keeper = kept(balancer, host)
    reports(balancer, host, 0.3)
    balancer.decide("endpoint_1", None)
    keeper.stop()
    assert "decisions that were stored are lost" in caplog.text
    assert (host.directory / f"{FILE_NAME}.damaged").read_text().startswith("nonsense")
    again = host.started()
    kept(again, host).stop()
    assert list(where(again)) == ["endpoint_1"]


def test_a_store_that_fails_is_told_once_and_nothing_is_lost(
    host: Host, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="nrs.balancer.keeper")
    balancer = host.started()
    keeper = kept(balancer, host)
    reports(balancer, host, 0.3)
    balancer.decide("endpoint_1", None)
    keeper._store._database.execute("PRAGMA query_only=ON")
    keeper._write(1.0)
    keeper._write(1.0)
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert "a restart will lose some" in caplog.text
    assert balancer.unstored == "decisions are not stored: attempt to write a readonly database"
    keeper._store._database.execute("PRAGMA query_only=OFF")
    keeper._write(1.0)
    assert caplog.messages[-1] == "decisions are stored again"
    assert balancer.unstored is None
    keeper.stop()
    again = host.started()
    kept(again, host).stop()
    assert list(where(again)) == ["endpoint_1"]
