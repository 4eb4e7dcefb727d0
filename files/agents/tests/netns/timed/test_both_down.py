"""Both routers fail, and either one comes back: the first that answers carries the traffic."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import Routers, both_up
from tests.netns.faults import BLACKHOLE, KILL, Fault, other_than
from tests.netns.timed.test_failover import active_of
from tests.netns.world import BUSINESS, Agent, World

KEEPALIVE_S = 0.5
BACK_S = {"suspect": 2.0, "down": 6.0}
"""Suspect tunnels are probed every 50 ms; one that is down is called every 2 s, and an agent that
was killed has to start first."""


@pytest.fixture
def endpoint(world: World, routers: Routers) -> Agent:
    made = world.endpoint(tunnel={"keepalive_interval": KEEPALIVE_S})
    wait_until(lambda: both_up(made), 20, "both tunnels up")
    return made


@pytest.fixture
def traffic(world: World, endpoint: Agent) -> Iterator[None]:
    """Pings all the time, answered or not."""
    ping = world.popen(
        "endpoint", "ping", "-q", "-i", "0.01", BUSINESS[0], stdout=subprocess.DEVNULL
    )
    wait_until(lambda: received(endpoint) > 10, 10, "pings flow")
    yield
    ping.terminate()
    ping.wait(10)


def received(endpoint: Agent) -> int:
    return int(endpoint.status()["figures"]["rx_packets"])


def states(endpoint: Agent) -> set[str]:
    return {tunnel["state"] for tunnel in endpoint.tunnels().values()}


@pytest.mark.usefixtures("traffic")
@pytest.mark.parametrize("first", ["active", "standby"])
@pytest.mark.parametrize(("fault", "state"), [(BLACKHOLE, "suspect"), (KILL, "down")], ids=str)
def test_traffic_comes_back_through_the_first_that_answers(
    world: World, routers: Routers, endpoint: Agent, fault: Fault, state: str, first: str
) -> None:
    active = active_of(endpoint)
    back = active if first == "active" else other_than(active)
    for router in routers.values():
        fault.begin(world, router)
    wait_until(lambda: states(endpoint) == {state}, 10, f"both are {state}")
    before = received(endpoint)
    fault.end(world, routers[back])
    wait_until(lambda: received(endpoint) > before + 10, BACK_S[state], f"traffic through {back}")
    assert active_of(endpoint) == back
    fault.end(world, routers[other_than(back)])
    wait_until(lambda: both_up(endpoint), 10, "both tunnels up again")
    assert active_of(endpoint) == back
    assert world.ping(BUSINESS[0])
