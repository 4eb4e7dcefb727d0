"""A host is after the endpoint has ended as it was before it started."""

from __future__ import annotations

import subprocess
import sys

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import both_up
from tests.netns.host_network import FAR, dump, ours, routers_behind_gateways
from tests.netns.world import AGENTS, BUSINESS, Agent, World

ROUTES = ["0.0.0.0/0", "::/0", "198.51.100.0/24", "2001:db8:100::/64", "10.77.0.0/24"]
STATIC = (
    ("-4", "198.51.100.0/24", "192.0.2.2"),
    ("-4", "10.77.0.0/24", "192.0.2.6"),
    ("-6", "2001:db8:100::/64", "2001:db8:b::2"),
)
"""The host's own routes of prefixes that are to go through the tunnel."""


@pytest.fixture
def host(world: World) -> World:
    """An endpoint's host with a default route and static ones, its routers running."""
    routers_behind_gateways(world, "router_a")
    for family, network, gateway in STATIC:
        world.ip("endpoint", family, "route", "add", network, "via", gateway)
    for name in ("router_a", "router_b"):
        world.router(name)
    return world


def started(world: World, *, underlay: int = 6, routes: list[str] = ROUTES) -> Agent:
    endpoint = world.endpoint(underlay=underlay, tunnel={"routes": routes})
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    return endpoint


def cleanup(world: World, endpoint: Agent, **environment: str) -> tuple[int, str]:
    """`nrs cleanup` on the endpoint's host: its exit status, and what it says is wrong."""
    command = [sys.executable, "-m", "nrs", "cleanup", "--unit", "network_access_endpoint"]
    variables = {"PYTHONPATH": str(AGENTS), "NRS_RUNTIME_DIRECTORY": str(endpoint.directory)}
    pairs = [f"{key}={value}" for key, value in (variables | environment).items()]
    process = world.popen("endpoint", "env", *pairs, *command, stderr=subprocess.PIPE)
    said = process.communicate(timeout=20)[1]
    return process.returncode, said.decode()


@pytest.mark.parametrize("underlay", [4, 6])
def test_a_stopped_endpoint_leaves_everything_as_it_was(host: World, underlay: int) -> None:
    before = dump(host)
    endpoint = started(host, underlay=underlay)
    during = dump(host)
    assert [line for line in before if line not in during] == []
    for address in BUSINESS:
        assert "dev tun0" in host.ip("endpoint", "route", "get", address)
        assert host.ping(address)
    assert endpoint.stop() == 0
    wait_until(lambda: dump(host) == before, 5, "the host is as it was")


def test_what_somebody_changes_meanwhile_stays(host: World) -> None:
    endpoint = started(host)
    host.ip("endpoint", "route", "replace", "default", "via", "192.0.2.6")
    host.ip("endpoint", "route", "del", "10.77.0.0/24")
    host.ip("endpoint", "route", "add", "10.78.0.0/24", "via", "192.0.2.6")
    host.ip("endpoint", "rule", "add", "priority", "100", "to", "10.79.0.0/24", "lookup", "main")
    host.exec("endpoint", "sysctl", "-qw", "net.ipv4.conf.up0.rp_filter=2")
    assert host.ping(BUSINESS[0])
    endpoint.stop()
    routes, rules = host.ip("endpoint", "route"), host.ip("endpoint", "rule")
    assert "default via 192.0.2.6" in routes
    assert "10.77.0.0/24" not in routes
    assert "10.78.0.0/24 via 192.0.2.6" in routes
    assert "100:\tfrom all to 10.79.0.0/24 lookup main" in rules
    assert "198.51.100.0/24 via 192.0.2.2" in routes
    assert ours(host) == ""
    value = host.exec("endpoint", "sysctl", "-n", "net.ipv4.conf.up0.rp_filter")
    assert value.strip() == "2"


def test_a_route_of_the_hosts_that_comes_and_goes_is_never_touched(host: World) -> None:
    """The prefix moves between the main table and the endpoint's own, and stays in the tunnel."""
    endpoint = started(host, routes=["203.0.114.0/24", "198.51.100.0/24"])
    assert "203.0.114.0/24 dev tun0" in host.ip("endpoint", "route")
    host.ip("endpoint", "route", "add", "203.0.114.0/24", "via", "192.0.2.2")
    wait_until(lambda: "203.0.114.0/24 dev tun0" not in host.ip("endpoint", "route"), 5, "moved")
    assert "203.0.114.0/24 via 192.0.2.2" in host.ip("endpoint", "route")
    assert "dev tun0" in host.ip("endpoint", "route", "get", "203.0.114.9")
    host.ip("endpoint", "route", "del", "203.0.114.0/24", "via", "192.0.2.2")
    wait_until(lambda: "203.0.114.0/24 dev tun0" in host.ip("endpoint", "route"), 5, "and back")
    assert endpoint.status()["put_back"] == 0


def test_the_network_of_an_interface_stays_there_and_that_is_said(host: World) -> None:
    before = dump(host)
    endpoint = started(host, routes=["192.0.2.4/30", "192.0.2.6/32", "198.51.100.0/24"], underlay=4)
    text = "tunnel.routes: 192.0.2.4/30 is the network of up1: it stays there"
    alone = "tunnel.routes: 192.0.2.6/32 is the address of router_b"
    assert endpoint.log.count(text) == endpoint.log.count(alone) == 1
    status = endpoint.status()
    assert sorted(problem["what"].partition(" is ")[0] for problem in status["problems"]) == [
        "tunnel.routes: 192.0.2.4/30",
        "tunnel.routes: 192.0.2.6/32",
    ]
    assert status["routes"] == {"wanted": 3, "in_place": 1}
    assert "dev up1" in host.ip("endpoint", "route", "get", "192.0.2.6")
    host.ip("endpoint", "addr", "add", "198.51.100.200/24", "dev", "up1")
    wait_until(lambda: len(endpoint.status()["problems"]) == 3, 5, "a network that has come")
    host.ip("endpoint", "addr", "del", "198.51.100.200/24", "dev", "up1")
    wait_until(lambda: len(endpoint.status()["problems"]) == 2, 5, "and has gone")
    endpoint.stop()
    wait_until(lambda: dump(host) == before, 5, "the host is as it was")


def test_a_killed_endpoint_under_systemd_leaves_nothing_open(host: World) -> None:
    host.managed = True
    before = dump(host)
    endpoint = started(host)
    during = dump(host)
    endpoint.kill()
    assert dump(host) == during
    assert "dev tun0" in host.ip("endpoint", "route", "get", "203.0.113.77")
    endpoint.start()
    wait_until(lambda: both_up(endpoint), 10, "both tunnels up")
    assert dump(host) == during
    assert endpoint.status()["routes"] == {"wanted": 5, "in_place": 5}
    assert endpoint.stop() == 0
    wait_until(lambda: dump(host) == before, 5, "the host is as it was")


def test_the_next_start_removes_what_a_killed_one_has_left(host: World) -> None:
    before = dump(host)
    endpoint = started(host)
    endpoint.kill()
    assert "32411:" in ours(host)
    assert [line for line in before if line not in dump(host)] == []
    endpoint.config["tunnel"]["routes"] = ["198.51.100.0/24"]
    endpoint.write(endpoint.config)
    endpoint.start()
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    assert "suppress_prefixlength 0" not in ours(host)
    assert "suppress_prefixlength 24" in ours(host)
    endpoint.stop()
    wait_until(lambda: dump(host) == before, 5, "the host is as it was")


def test_cleanup_removes_what_a_killed_one_has_left(host: World) -> None:
    before = dump(host)
    endpoint = started(host)
    status, said = cleanup(host, endpoint)
    assert status == 1
    assert "network_access_endpoint is running" in said
    assert "32411:" in ours(host)
    endpoint.kill()
    host.ip("endpoint", "route", "add", "10.80.0.0/24", "dev", "up0", "table", "51821")
    crashed = {"SERVICE_RESULT": "signal", "EXIT_CODE": "killed", "EXIT_STATUS": "KILL"}
    assert cleanup(host, endpoint, **crashed)[0] == 0
    assert "32411:" in ours(host)  # systemd starts it again
    failed = {"SERVICE_RESULT": "exit-code", "EXIT_CODE": "exited", "EXIT_STATUS": "2"}
    assert cleanup(host, endpoint, **failed)[0] == 0
    assert ours(host) == ""
    assert "10.80.0.0/24" in host.ip("endpoint", "route", "show", "table", "51821")
    host.ip("endpoint", "route", "del", "10.80.0.0/24", "table", "51821")
    assert dump(host) == before
    assert cleanup(host, endpoint) == (0, "")


def test_a_file_that_cannot_be_used_any_more_leaves_the_rest_to_cleanup(host: World) -> None:
    """systemd does not start it again: its ExecStopPost= is the last chance."""
    host.managed = True
    before = dump(host)
    endpoint = started(host)
    endpoint.kill()
    endpoint.write({**endpoint.config, "surprise": True})
    endpoint.start()
    assert endpoint.process.wait(20) == 2
    assert endpoint.manager is not None
    failed = {"SERVICE_RESULT": "exit-code", "EXIT_CODE": "exited", "EXIT_STATUS": "2"}
    assert cleanup(host, endpoint, **failed)[0] == 0
    endpoint.close()  # systemd keeps nothing of a unit that has failed
    wait_until(lambda: dump(host) == before, 5, "the host is as it was")


def test_a_router_leaves_its_host_as_it_was(world: World) -> None:
    before = dump(world, "router_a")
    router = world.router("router_a", tunnel={"tun_ipv4": "10.10.1.1/32", "tun_ipv6": "fd00:10::1"})
    world.ip("router_a", "route", "add", "10.10.100.1", "via", "198.51.100.10")
    mine = world.ip("router_a", "route", "show", "10.10.100.1")
    endpoint = world.endpoint(routers=[{"router_id": "router_a", "external_ip": "2001:db8:a::2"}])
    wait_until(lambda: endpoint.tunnels().get("router_a", {}).get("up"), 20, "tunnel up")
    wait_until(
        lambda: "proto 83" in world.ip("router_a", "route", "show", "10.10.100.1"), 5, "a route"
    )
    assert mine in world.ip("router_a", "route", "show", "10.10.100.1")
    router.stop()
    world.ip("router_a", "route", "del", "10.10.100.1")
    wait_until(lambda: dump(world, "router_a") == before, 5, "the host is as it was")


def test_far_routers_are_far(host: World) -> None:
    """What the tests of full tunnels rely on."""
    assert "via 192.0.2.2" in host.ip("endpoint", "route", "get", FAR["router_a"][0])
