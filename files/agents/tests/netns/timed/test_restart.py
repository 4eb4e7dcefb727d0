"""Agents that are restarted, upgraded or killed come back with everything they had."""

from __future__ import annotations

import re
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import both_up, one_router
from tests.netns.timed.test_failover import PINGS_A_SECOND, active_of
from tests.netns.timed.test_planned_moves import EGRESS, Connections, echo
from tests.netns.world import BUSINESS, UNDERLAY4, UNDERLAY6, Agent, World
from tests.tunnel.codecs import providers_here

Agents = dict[str, Agent]
MOST_S = 4.0
"""Without a processor to itself a process takes a while to start; figures belong to the bench."""


@pytest.fixture
def kept(world: World, codec: str) -> tuple[World, Agents]:
    """Two routers and an endpoint whose descriptors outlive them, both tunnels up."""
    world.managed = True
    agents = {name: world.router(name) for name in ("router_a", "router_b")}
    agents["endpoint"] = world.endpoint()
    wait_until(lambda: both_up(agents["endpoint"]), 20, "both tunnels up")
    return world, agents


@pytest.fixture
def connections(kept: tuple[World, Agents]) -> Iterator[Connections]:
    with ExitStack() as opened:
        yield Connections(kept[0], BUSINESS[0], opened)


def answered(ping: subprocess.Popen[bytes]) -> tuple[int, int]:
    """Packets that were sent, and answers."""
    output = ping.communicate(timeout=60)[0].decode()
    match = re.search(r"(\d+) packets transmitted, (\d+) received", output)
    assert match, output
    return int(match[1]), int(match[2])


def after_resuming(agent: Agent) -> str:
    """What the agent has logged since it went on with all that it had."""
    match = re.search(r"(\d+) of \1 sessions of an earlier run go on(.*)", agent.log, re.DOTALL)
    assert match, "nothing was taken over"
    return match[2]


@pytest.mark.parametrize("which", ["router", "endpoint"])
def test_a_restart_loses_no_packet_and_no_connection(
    kept: tuple[World, Agents], connections: Connections, which: str
) -> None:
    world, agents = kept
    endpoint = agents["endpoint"]
    active = active_of(endpoint)
    agent = agents[active if which == "router" else which]
    pid = agent.process.pid
    old = connections.make()
    ping = world.popen(
        "endpoint",
        *("ping", "-q", "-c", str(3 * PINGS_A_SECOND), "-i", str(1 / PINGS_A_SECOND), "-W", "5"),
        BUSINESS[0],
        stdout=subprocess.PIPE,
    )
    wait_until(lambda: endpoint.status()["figures"]["rx_packets"] > 50, 10, "pings flow")
    agent.restart()
    echo(*old[:2])
    sent, received = answered(ping)
    assert sent == received
    assert agent.process.pid != pid
    assert "tunnel to" not in after_resuming(agent)
    assert both_up(endpoint)
    echo(*old[:2])
    if which == "endpoint":
        assert active_of(endpoint) == active
    else:
        assert "is being restarted" in endpoint.log


@pytest.mark.parametrize("which", ["router", "endpoint"])
def test_a_killed_agent_comes_back_with_its_sessions(
    kept: tuple[World, Agents], which: str
) -> None:
    """Nothing is set up anew: what is kept is as the process left it."""
    world, agents = kept
    endpoint = agents["endpoint"]
    active = active_of(endpoint)
    agent = agents[active if which == "router" else which]
    assert world.ping(BUSINESS[0])
    devices = world.exec(agent.host, "ip", "-o", "link", "show", "tun0")
    agent.kill()
    assert world.exec(agent.host, "ip", "-o", "link", "show", "tun0") == devices
    agent.start()
    wait_until(agent.status, MOST_S, "it runs again")
    wait_until(lambda: both_up(endpoint), MOST_S, "both tunnels up")
    assert world.ping(BUSINESS[0])
    assert {t["up"] for t in agents["router_a"].tunnels().values()} == {True}
    assert "is up" not in after_resuming(agent)
    if which == "endpoint":
        assert active_of(endpoint) == active


def test_a_connection_through_the_standby_outlives_a_killed_endpoint(
    kept: tuple[World, Agents], connections: Connections
) -> None:
    """Its flow is remembered: by default it would take the tunnel of new ones."""
    _, agents = kept
    endpoint = agents["endpoint"]
    before = active_of(endpoint)
    old = connections.make()
    (other,) = {"router_a", "router_b"} - {before}
    endpoint.command("advise", router_id=other)
    wait_until(lambda: active_of(endpoint) == other, 5, "the advice is taken")
    endpoint.kill()
    endpoint.start()
    echo(*old[:2])
    assert active_of(endpoint) == other
    assert connections.make()[2] == EGRESS[other][old[0].family]


def test_stopping_lets_go_of_everything(kept: tuple[World, Agents]) -> None:
    world, agents = kept
    endpoint, router = agents["endpoint"], agents["router_a"]
    for agent in (router, endpoint):
        assert agent.manager is not None
        assert {"tun", "sessions"} < agent.manager.kept
        assert agent.stop() == 0
        wait_until(lambda a=agent: not a.manager.kept, 5, "nothing is kept")
        wait_until(lambda a=agent: "tun0" not in world.exec(a.host, "ip", "link"), 5, "no device")
    assert "network_routing" not in world.exec("router_a", "nft", "list", "tables")
    assert "router_a has closed its tunnel" in endpoint.log
    wait_until(lambda: not agents["router_b"].tunnels(), 5, "the endpoint has said BYE")


def test_a_restart_takes_over_another_address_and_leaves_routes_behind(
    kept: tuple[World, Agents],
) -> None:
    world, agents = kept
    endpoint = agents["endpoint"]
    config = endpoint.config
    config["tunnel"] |= {"tun_ipv4": "10.10.100.9", "routes": ["198.51.100.0/24"]}
    endpoint.write(config)
    endpoint.restart()
    wait_until(lambda: both_up(endpoint), 10, "both tunnels up")
    assert world.ping(BUSINESS[0])
    addresses = world.exec("endpoint", "ip", "-o", "addr", "show", "dev", "tun0")
    assert "10.10.100.9" in addresses
    assert "10.10.100.1/" not in addresses
    assert "10.10.0.0/16" not in world.exec("endpoint", "ip", "route")


def test_another_codec_goes_on_with_the_sessions(kept: tuple[World, Agents], codec: str) -> None:
    world, agents = kept
    world.environment["NRS_CODEC"] = {"c": "python", "python": "c"}[codec]
    for agent in agents.values():
        agent.restart()
        wait_until(agent.status, MOST_S, "it runs again")
        assert world.ping(BUSINESS[0])
        assert "tunnel to" not in after_resuming(agent)
    assert {a.status()["codec"] for a in agents.values()} == {world.environment["NRS_CODEC"]}


def test_another_crypto_provider_goes_on_with_the_sessions(
    kept: tuple[World, Agents], codec: str
) -> None:
    """From libcrypto to the other one and back, where the codec has it here."""
    world, agents = kept
    for provider in [*(providers_here() if codec == "c" else ()), "libcrypto"]:
        world.environment["NRS_CRYPTO"] = provider
        for agent in agents.values():
            agent.restart()
            wait_until(agent.status, MOST_S, "it runs again")
            assert world.ping(BUSINESS[0])
            assert "tunnel to" not in after_resuming(agent)
        assert all(provider in agent.status()["crypto"] for agent in agents.values())


def test_a_router_listens_at_another_address_after_a_restart(kept: tuple[World, Agents]) -> None:
    """Sessions of the other family cannot go on; the router does."""
    world, agents = kept
    endpoint, router = agents["endpoint"], agents["router_a"]
    config = router.config
    config["server"]["bind_address"] = UNDERLAY6["router_a"][1]
    router.write(config)
    router.restart()
    wait_until(lambda: both_up(endpoint) and router.tunnels(), 15, "both tunnels up")
    config["server"]["bind_address"] = UNDERLAY4["router_a"][1]
    router.write(config)
    router.restart()
    wait_until(router.status, 10, "it runs")
    assert router.tunnels() == {}
    assert world.ping(BUSINESS[0])


def test_a_failed_start_leaves_everything_to_the_next_one(kept: tuple[World, Agents]) -> None:
    _, agents = kept
    endpoint, router = agents["endpoint"], agents["router_a"]
    assert router.command("stopping", restarting=True)["restarting"]
    assert router.stop() == 0
    path = router.directory / "routing_server.sock"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as occupied:
        occupied.bind(str(path))
        occupied.listen()
        router.start()
        assert router.process.wait(20) == 1
    path.unlink()
    assert "cannot start" in router.log
    assert "has closed its tunnel" not in endpoint.log
    router.start()
    wait_until(lambda: both_up(endpoint) and router.tunnels(), 10, "both tunnels up")
    assert "tunnel to" not in after_resuming(router)


def test_the_only_router_comes_back_to_the_path_as_it_was(world: World) -> None:
    world.managed = True
    router, endpoint = one_router(world)

    def size() -> int:
        return int(endpoint.tunnels()["router_a"]["path_mtu"])

    wait_until(lambda: size() == 1500, 10, "the path is known")
    world.popen("endpoint", "ping", "-q", "-i", "0.01", BUSINESS[0], stdout=subprocess.DEVNULL)
    wait_until(lambda: endpoint.status()["figures"]["rx_packets"] > 50, 10, "pings flow")
    assert router.command("stopping", restarting=True)["restarting"]
    assert router.stop() == 0
    until = time.monotonic() + 1.0  # as on a slow host
    while time.monotonic() < until:
        assert size() == 1500
        time.sleep(0.05)
    router.start()
    wait_until(router.tunnels, 10, "the router is back")
    assert world.ping(BUSINESS[0])
    assert size() == 1500
    assert "at most" not in endpoint.log


def test_a_control_client_that_says_nothing_holds_no_packet_up(
    kept: tuple[World, Agents], connections: Connections
) -> None:
    _, agents = kept
    endpoint = agents["endpoint"]
    router = agents[active_of(endpoint)]
    old = connections.make()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as silent:
        assert router.command("stopping", restarting=True)["restarting"]
        silent.connect(str(router.directory / "routing_server.sock"))
        router.process.terminate()
        until = time.monotonic() + 1.0
        while time.monotonic() < until:
            echo(*old[:2])
        assert router.process.poll() is None
    assert router.process.wait(10) == 0
    router.start()
    echo(*old[:2])
