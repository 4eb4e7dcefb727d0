"""Faults and reloads under real traffic. Bounds have slack; figures belong to the benchmarks."""

from __future__ import annotations

import re
import signal
import subprocess

import pytest
import yaml
from testbed.wait import wait_until

from tests.netns.conftest import both_up
from tests.netns.world import BUSINESS, Agent, World

Running = tuple[World, Agent, Agent, Agent]
PINGS_A_SECOND = 100
MOST_LOST = 100
"""One second's worth: ten times what detection takes on a quiet machine."""


def start_ping(world: World, count: int) -> subprocess.Popen[bytes]:
    return world.popen(
        "endpoint",
        *("ping", "-q", "-c", str(count), "-i", str(1 / PINGS_A_SECOND), "-W", "1", BUSINESS[0]),
        stdout=subprocess.PIPE,
    )


def lost(ping: subprocess.Popen[bytes]) -> int:
    output = ping.communicate(timeout=60)[0].decode()
    match = re.search(r"(\d+) packets transmitted, (\d+) received", output)
    assert match, output
    return int(match[1]) - int(match[2])


def active_of(endpoint: Agent) -> str:
    return next(name for name, tunnel in endpoint.tunnels().items() if tunnel["active"])


@pytest.mark.parametrize("fault", ["kill", "stop", "blackhole"])
def test_traffic_survives_a_dead_hung_or_silent_router(running: Running, fault: str) -> None:
    world, endpoint, router_a, router_b = running
    active = active_of(endpoint)
    victim = {"router_a": router_a, "router_b": router_b}[active]
    ping = start_ping(world, 4 * PINGS_A_SECOND)
    wait_until(
        lambda: endpoint.status()["figures"]["rx_packets"] > PINGS_A_SECOND, 10, "pings flow"
    )
    if fault == "kill":
        victim.kill()
    elif fault == "stop":
        victim.signal(signal.SIGSTOP)
    else:
        world.blackhole(active)
    assert lost(ping) <= MOST_LOST
    assert active_of(endpoint) != active
    if fault == "kill":
        victim.start()
    elif fault == "stop":
        victim.signal(signal.SIGCONT)
    else:
        world.unblackhole(active)
    wait_until(lambda: both_up(endpoint), 15, "both tunnels up again")


def test_advice_moves_traffic_without_loss(running: Running) -> None:
    world, endpoint, *_ = running
    before = active_of(endpoint)
    other = {"router_a": "router_b", "router_b": "router_a"}[before]
    endpoint.command("advise", router_id=other)
    wait_until(lambda: active_of(endpoint) == other, 5, "the advice is taken")
    assert world.ping(BUSINESS[0], 20)


def test_a_reload_adds_a_route_and_keeps_the_tunnels(running: Running) -> None:
    world, endpoint, *_ = running
    since = {name: tunnel["since"] for name, tunnel in endpoint.tunnels().items()}
    config = endpoint.config
    config["tunnel"]["routes"] = ["198.51.100.0/24", "203.0.113.0/24"]
    endpoint.write(config)
    endpoint.signal(signal.SIGHUP)
    wait_until(lambda: "203.0.113.0/24" in world.exec("endpoint", "ip", "route"), 5, "new route")
    assert "10.10.0.0/16" not in world.exec("endpoint", "ip", "route")
    assert {name: tunnel["since"] for name, tunnel in endpoint.tunnels().items()} == since
    assert world.ping(BUSINESS[0])


def test_a_broken_file_is_refused_by_reload_and_changes_nothing(running: Running) -> None:
    world, endpoint, router_a, _ = running
    for agent in (endpoint, router_a):
        good = agent.config_path.read_text(encoding="utf-8")
        agent.config_path.write_text(yaml.safe_dump({"tunnel": {"psk": "short"}}), encoding="utf-8")
        agent.signal(signal.SIGHUP)
        wait_until(lambda a=agent: "configuration in force stays" in a.log, 5, "the refusal")
        agent.config_path.write_text(good, encoding="utf-8")
    assert world.ping(BUSINESS[0])
    assert both_up(endpoint)


def test_a_router_without_state_gets_its_idle_endpoints_back(running: Running) -> None:
    """A restart while nothing flows: the keepalive finds out."""
    _, endpoint, router_a, _ = running
    router_a.kill()
    router_a.start()
    wait_until(lambda: "endpoint_1" in router_a.tunnels(), 30, "the endpoint is back")
    wait_until(lambda: both_up(endpoint), 5, "both tunnels up")


def test_a_reload_changes_the_keepalive_of_a_tunnel_that_is_up(running: Running) -> None:
    _, endpoint, *_ = running
    before = endpoint.status()["figures"]["rx_datagrams"]
    config = endpoint.config
    config["tunnel"]["keepalive_interval"] = 0.1
    endpoint.write(config)
    endpoint.signal(signal.SIGHUP)
    wait_until(
        lambda: endpoint.status()["figures"]["rx_datagrams"] > before + 20, 8, "quick keepalives"
    )
    assert both_up(endpoint)
