"""A router that dies under traffic costs little and comes back by itself."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

BUSINESS = "198.51.100.10"
RATE = 100
MOST_LOST = 30
BACK_WITHIN_S = 15.0


@pytest.fixture(autouse=True)
def _settled(lab: Any, wait: Callable[..., float]) -> Iterator[None]:
    """Each test begins and ends with every tunnel up."""
    wait(lab.all_up, 30, "two tunnels of each endpoint up before the test")
    yield
    wait(lab.all_up, 30, "two tunnels of each endpoint up after the test")


def test_a_killed_router_costs_at_most_30_packets_and_comes_back(
    lab: Any, wait: Callable[..., float]
) -> None:
    endpoint = "endpoint_1"
    router = lab.active_router(endpoint)
    before = _main_pid(lab, router)
    ping = lab.start(endpoint, "ping", "-nq", f"-i{1 / RATE}", f"-c{12 * RATE}", "-Itun0", BUSINESS)
    time.sleep(3)
    assert ping.poll() is None, ping.communicate()[0]
    lab.exec(router, "systemctl", "kill", "-s", "KILL", "routing_server")
    took = wait(lambda: _main_pid(lab, router) not in (before, 0), BACK_WITHIN_S, "a new process")
    wait(lab.all_up, BACK_WITHIN_S - took, "both tunnels up again")
    assert ping.poll() is None, "the traffic ended too early to show anything"
    said = ping.communicate(timeout=60)[0]
    sent, received = map(
        int, re.search(r"(\d+) packets transmitted, (\d+) received", said).groups()
    )
    assert sent == 12 * RATE
    assert sent - received <= MOST_LOST, said
    assert lab.active_router(endpoint) in lab.tunnels(endpoint)


def test_the_other_endpoint_is_not_disturbed_by_a_router_that_it_does_not_use(
    lab: Any, wait: Callable[..., float]
) -> None:
    router = lab.active_router("endpoint_1")
    since = {
        name: tunnel["since"]
        for name, tunnel in lab.tunnels("endpoint_2").items()
        if name != router
    }
    lab.exec(router, "systemctl", "kill", "-s", "KILL", "routing_server")
    wait(lab.all_up, BACK_WITHIN_S, "both tunnels up again")
    after = lab.tunnels("endpoint_2")
    assert {name: after[name]["since"] for name in since} == since


def _main_pid(lab: Any, router: str) -> int:
    said = lab.exec(router, "systemctl", "show", "-p", "MainPID", "--value", "routing_server")
    return int(said)
