"""Several load balancers that share their state through a real Redis or Valkey."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from redis import Redis

from nrs.api.auth import Trust
from nrs.balancer.config import LoadBalancerConfig
from nrs.balancer.http.app import create_app
from nrs.balancer.keep.shared import SharedStore
from nrs.balancer.live import LiveBalancer
from nrs.balancer.sharer import Sharer
from tests.balancer.reports import WALL, report
from tests.balancer.shared_state import StateServer
from tests.serving import TIMEOUT_S


class Clock:
    """The hosts' common time."""

    now = 1000.0


class Host:
    """A load balancer whose sharing takes its turns when told to."""

    def __init__(self, name: str, clock: Clock, url: str) -> None:
        self._clock = clock
        self.balancer = LiveBalancer(
            LoadBalancerConfig(), clock=lambda: clock.now, wall_clock=lambda: WALL + clock.now
        )
        self.sharer = Sharer(self.balancer, SharedStore(url, None, name), url)

    def report(self, *loads: float) -> None:
        when = WALL + self._clock.now
        for number, load in enumerate(loads, 1):
            self.balancer.report(
                report(f"router_{number}", load, timestamp=when, total_rx_packets=int(when))
            )

    def where(self) -> dict[str, tuple[str, float | None]]:
        page = self.balancer.decisions(None, 1000)
        return {listed.endpoint_id: (listed.router_id, listed.since) for listed in page.decisions}

    def effective(self, router_id: str) -> float:
        (view,) = [v for v in self.balancer.routers() if v.router.report.server_id == router_id]
        return view.effective_score


@pytest.fixture
def server(tmp_path: Path) -> Iterator[StateServer]:
    server = StateServer(tmp_path)
    server.start()
    yield server
    server.kill()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def two(server: StateServer, clock: Clock) -> Iterator[tuple[Host, Host]]:
    hosts = Host("one", clock, server.url), Host("two", clock, server.url)
    yield hosts
    for host in hosts:
        host.sharer._store.close()


def turns(*hosts: Host) -> None:
    for _ in range(2):
        for host in hosts:
            assert host.sharer.turn()


def test_decisions_and_their_pending_moves_are_known_to_both(
    two: tuple[Host, Host], clock: Clock
) -> None:
    one, other = two
    one.report(0.2, 0.2)
    other.report(0.2, 0.2)
    turns(one, other)
    clock.now += 1
    before = other.effective("router_1"), other.effective("router_2")
    for number in range(10):
        one.balancer.decide(f"endpoint_{number}", None)
    turns(one, other)
    assert other.where() == one.where()
    assert len(one.where()) == 10
    assert other.effective("router_1") < before[0]
    assert other.effective("router_2") < before[1]
    assert other.balancer.active_decisions() == 10


def test_an_endpoint_that_asks_the_other_one_stays_and_is_held(
    two: tuple[Host, Host], clock: Clock
) -> None:
    one, other = two
    one.report(0.2, 0.3)
    other.report(0.2, 0.3)
    assert one.balancer.decide("endpoint_1", None).router.report.server_id == "router_1"
    turns(one, other)
    clock.now += 20
    other.report(0.9, 0.1)
    decision = other.balancer.decide("endpoint_1", None)
    assert decision.router.report.server_id == "router_1"
    assert decision.reason.name == "HELD"


def test_of_two_moves_the_later_one_holds(two: tuple[Host, Host], clock: Clock) -> None:
    one, other = two
    for host in two:
        host.report(0.2, 0.2)
    one.balancer.decide("endpoint_1", ["router_1"])
    clock.now += 1
    other.balancer.decide("endpoint_1", ["router_2"])
    turns(one, other)
    assert one.where() == other.where() == {"endpoint_1": ("router_2", WALL + clock.now)}


def test_a_router_that_reaches_only_one_is_known_to_both(two: tuple[Host, Host]) -> None:
    one, other = two
    one.report(0.2)
    turns(one, other)
    (view,) = other.balancer.routers()
    assert (view.router.report.server_id, view.active) == ("router_1", True)


def test_a_report_that_came_by_itself_is_not_taken_twice(
    two: tuple[Host, Host], clock: Clock
) -> None:
    one, other = two
    other.report(0.2)
    clock.now += 1
    one.report(0.5)
    turns(one, other)
    assert other.balancer.routers()[0].score == pytest.approx(0.8)
    assert other.balancer.refusals == {}


def test_one_that_begins_knows_what_the_others_know(
    two: tuple[Host, Host], server: StateServer, clock: Clock
) -> None:
    one, other = two
    one.report(0.2, 0.2)
    for number in range(5):
        one.balancer.decide(f"endpoint_{number}", None)
    turns(one, other)
    third = Host("three", clock, server.url)
    assert third.sharer.turn()
    assert third.where() == one.where()
    third.sharer._store.close()


def test_without_the_store_each_goes_on_alone_and_says_so(
    two: tuple[Host, Host], server: StateServer, caplog: pytest.LogCaptureFixture, clock: Clock
) -> None:
    caplog.set_level(logging.INFO, logger="nrs.balancer.sharer")
    one, other = two
    client = create_app(one.balancer, Trust()).test_client()

    def shared() -> dict[str, object]:
        answer = client.get("/health").json
        assert answer is not None and answer["status"] == "ok"
        found: dict[str, object] = answer["shared_state"]
        return found

    one.report(0.2, 0.2)
    other.report(0.2, 0.2)
    one.balancer.decide("endpoint_1", None)
    turns(one, other)
    assert shared() == {"connected": True, "error": None}

    server.kill()
    assert not one.sharer.turn()
    assert not one.sharer.turn()
    assert not other.sharer.turn()
    assert shared()["connected"] is False
    assert shared()["error"]
    # Both go on deciding, each for the endpoints that ask it.
    one.balancer.decide("endpoint_2", None)
    other.balancer.decide("endpoint_3", None)
    assert sum("goes on alone" in message for message in caplog.messages) == 2

    server.start()
    turns(one, other)
    assert shared() == {"connected": True, "error": None}
    assert one.where() == other.where()
    assert sorted(one.where()) == ["endpoint_1", "endpoint_2", "endpoint_3"]


def test_nonsense_in_the_store_is_passed_over(two: tuple[Host, Host], server: StateServer) -> None:
    one, other = two
    with Redis.from_url(server.url) as client:
        client.hset("nrs:routers", "router_9", "nonsense")
        client.hset("nrs:endpoints", "endpoint_9", "{")
        client.xadd("nrs:news", {"from": "someone", "what": "nonsense"})
    turns(one, other)
    with Redis.from_url(server.url) as client:
        client.xadd("nrs:news", {"colour": "red"})
    one.report(0.2)
    turns(one, other)
    assert len(other.balancer.routers()) == 1


def test_a_store_that_hangs_holds_no_request_up(tmp_path: Path, clock: Clock) -> None:
    server = StateServer(tmp_path)
    server.start()
    assert server._process is not None
    host = Host("one", clock, server.url)
    host.report(0.2)
    assert host.sharer.turn()
    server._process.send_signal(19)
    turn: list[bool] = []
    thread = threading.Thread(target=lambda: turn.append(host.sharer.turn()))
    thread.start()
    while thread.is_alive():
        began = time.monotonic()
        host.balancer.decide("endpoint_1", None)
        assert time.monotonic() - began < 0.5
        time.sleep(0.01)
    assert turn == [False]
    server._process.send_signal(18)
    server.kill()
    host.sharer._store.close()


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + TIMEOUT_S
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_it_takes_its_turns_by_itself(server: StateServer, clock: Clock) -> None:
    one, other = (Host(name, clock, server.url) for name in ("one", "other"))
    for host in (one, other):
        host.report(0.2)
        host.sharer.start()
    one.balancer.decide("endpoint_1", None)
    _until(lambda: "endpoint_1" in other.where())
    for host in (one, other):
        host.sharer.stop()
