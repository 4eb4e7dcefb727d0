"""Load balancer and controller are down for ever: everything else goes on from what is on disk."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import both_up
from tests.netns.faults import other_than
from tests.netns.timed.test_failover import MOST_LOST, PINGS_A_SECOND, active_of, lost, start_ping
from tests.netns.world import BUSINESS, Agent, World

OFTEN_S = 0.5
PUSHED_ROUTE = "203.0.113.0/24"
STOP_S = 4.0
SERVERS = {
    "load_balancer": {"url": "http://127.0.0.1:8080"},
    "network_controller": {"url": "http://127.0.0.1:8090", "status_interval": OFTEN_S},
}
ROUTERS = {**SERVERS, "metrics": {"report_interval": OFTEN_S}}
ENDPOINT = {
    **SERVERS,
    "load_balancer": {**SERVERS["load_balancer"], "poll_interval": OFTEN_S},
    "tunnel": {"keepalive_interval": OFTEN_S},
    "push": {"routes_within": [PUSHED_ROUTE]},
}
SILENCE = (
    "add table inet silence;"
    "add chain inet silence out { type filter hook output priority 0; };"
    "add rule inet silence out tcp dport { 8080, 8090 } drop"
)
"""Connections to the servers hang."""
HOSTS = ("endpoint", "router_a", "router_b")


def push(agent: Agent, version: int, config: dict[str, Any]) -> None:
    answer = agent.command("apply_config", version=version, config=config)
    assert answer == {"error": None}


def as_before(world: World, agents: dict[str, Agent]) -> bool:
    """Whether both tunnels are up and everybody runs what was pushed."""
    versions = [agent.status().get("config_version") for agent in agents.values()]
    return (
        both_up(agents["endpoint"])
        and versions == [7] * len(agents)
        and PUSHED_ROUTE in world.exec("endpoint", "ip", "route")
    )


def kill(agent: Agent) -> None:
    agent.kill()


def stop(agent: Agent) -> None:
    """Its companion may be waiting for a server."""
    began = time.monotonic()
    assert agent.stop() == 0
    assert time.monotonic() - began < STOP_S


@pytest.mark.parametrize(
    ("end", "tried"), [(kill, "connection failed"), (stop, "no connection in time")]
)
def test_traffic_failover_and_restarts_need_nobody_else(
    world: World, end: Callable[[Agent], None], tried: str
) -> None:
    if tried == "no connection in time":
        for host in HOSTS:
            world.exec(host, "nft", SILENCE)
    agents = {name: world.router(name, **ROUTERS) for name in ("router_a", "router_b")}
    agents["endpoint"] = endpoint = world.endpoint(**ENDPOINT)
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    routes = [*endpoint.config["tunnel"]["routes"], PUSHED_ROUTE]
    push(endpoint, 7, {"tunnel": {"routes": routes}})
    for name in ("router_a", "router_b"):
        push(agents[name], 7, {"server": {"log_level": "debug"}})
    for agent in agents.values():
        wait_until(lambda a=agent: tried in a.log, 30, f"{tried}: the companion says so")

    left = active_of(endpoint)
    ping = start_ping(world, 2 * PINGS_A_SECOND)
    wait_until(lambda: endpoint.status()["figures"]["rx_packets"] > 50, 10, "pings flow")
    world.blackhole(left)
    assert lost(ping) <= MOST_LOST
    assert active_of(endpoint) == other_than(left)
    world.unblackhole(left)

    for name, agent in agents.items():
        end(agent)
        agent.start()
        wait_until(lambda: as_before(world, agents), 20, f"all is well after {name} has restarted")
        assert world.ping(BUSINESS[0])
