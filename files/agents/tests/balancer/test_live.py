from __future__ import annotations

import contextlib
import logging
import os
import select
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from nrs.balancer.config import LoadBalancerConfig, Metrics
from nrs.balancer.decide.algorithm import Algorithm
from nrs.balancer.decide.standing import State
from nrs.balancer.keep import settings
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


DEADLINE_S = 30.0


def answers(balancer: LiveBalancer) -> None:
    """What the server's own thread does has to end while something else is stuck."""

    def brief() -> None:
        balancer.report(report("router_1"))
        balancer.decide("endpoint_1", None)
        balancer.routers()
        done.set()

    done = threading.Event()
    threading.Thread(target=brief, daemon=True).start()
    assert done.wait(DEADLINE_S)


@pytest.mark.parametrize(
    "change",
    [
        lambda balancer: balancer.set_state("router_1", State.DRAINING),
        lambda balancer: balancer.set_algorithm({"max_connections": 7}),
    ],
    ids=["set_state", "set_algorithm"],
)
def test_a_disk_that_hangs_as_something_is_set_holds_up_no_answer(
    change: Callable[[LiveBalancer], Any], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    balancer = LiveBalancer(LoadBalancerConfig(), tmp_path)
    balancer.report(report("router_1"))
    wrote = []

    def hanging(path: Path, text: str) -> None:
        answers(balancer)
        # Nothing of it holds before it is stored.
        assert balancer.algorithm.set == {}
        assert [view.state for view in balancer.routers()] == [State.ACTIVE]
        wrote.append(path)

    monkeypatch.setattr(settings.whole_file, "replace", hanging)
    change(balancer)
    assert len(wrote) == 1


def test_what_is_set_at_once_is_stored_in_the_order_in_which_it_holds(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    balancer = LiveBalancer(LoadBalancerConfig(), tmp_path)
    routers = [f"router_{number}" for number in range(8)]
    for name in routers:
        balancer.report(report(name))
    writing = threading.Lock()
    write = settings.whole_file.replace

    def alone(path: Path, text: str) -> None:
        assert writing.acquire(blocking=False)
        write(path, text)
        writing.release()

    monkeypatch.setattr(settings.whole_file, "replace", alone)
    barrier = threading.Barrier(len(routers))

    def drain(name: str) -> None:
        barrier.wait(DEADLINE_S)
        balancer.set_state(name, State.DRAINING)

    threads = [threading.Thread(target=drain, args=(name,)) for name in routers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(DEADLINE_S)
    assert settings.Settings(tmp_path).states() == dict.fromkeys(routers, State.DRAINING)


def test_a_recording_whose_disk_hangs_holds_up_no_answer(tmp_path: Path) -> None:
    pipe = tmp_path / "recording"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    config = LoadBalancerConfig.model_validate({"metrics": {"record_file": str(pipe)}})
    balancer = LiveBalancer(config)
    balancer.report(report("router_1"))
    for number in range(2000):  # more than a pipe and a file's buffer hold
        balancer.decide(f"endpoint_{number}", ["router_1"], "router_1", 2.5)
    stuck = threading.Thread(target=balancer.watch)
    stuck.start()
    try:
        answers(balancer)
        assert stuck.is_alive()
    finally:
        with contextlib.suppress(BlockingIOError):
            while stuck.is_alive():
                select.select([reader], [], [], 0.1)
                os.read(reader, 65536)
        os.close(reader)
        stuck.join(DEADLINE_S)
