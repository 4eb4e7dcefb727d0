"""What somebody takes away from an endpoint's network is put back."""

from __future__ import annotations

import time
from functools import partial

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import both_up
from tests.netns.host.edits import BACK_S, put_back_told_once_and_counted
from tests.netns.host_network import ours, routers_behind_gateways
from tests.netns.world import BUSINESS, Agent, World

ROUTES = ["0.0.0.0/0", "::/0", "198.51.100.0/24", "2001:db8:100::/64", "10.77.0.0/24"]


@pytest.fixture
def endpoint(world: World) -> Agent:
    """With routes in both tables and rules, under a manager that starts it again."""
    world.managed = True
    routers_behind_gateways(world, "router_a")
    for name in ("router_a", "router_b"):
        world.router(name)
    world.ip("endpoint", "route", "add", "10.77.0.0/24", "via", "192.0.2.2")
    endpoint = world.endpoint(tunnel={"routes": ROUTES})
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    return endpoint


def place(world: World) -> str:
    """What is the endpoint's in its host's network."""
    device = world.ip("endpoint", "-o", "addr", "show", "dev", "tun0", "scope", "global")
    flags = world.ip("endpoint", "-o", "link", "show", "tun0").partition("<")[2].partition(">")[0]
    addresses = [line.partition(":")[2] for line in device.splitlines()]  # without its index
    return "\n".join(sorted([*ours(world).splitlines(), *addresses, flags]))


FLUSHES = {
    "routes": "ip route flush dev tun0; ip -6 route flush dev tun0 proto 82",
    "own table": "ip route flush table 51821; ip -6 route flush table 51821",
    "own table replaced": "ip route replace default via 192.0.2.2 table 51821 metric 82;"
    " ip -6 route replace default via 2001:db8:a::2 table 51821 metric 82",
    "a route replaced as if by us": "ip route replace 198.51.100.0/24 via 192.0.2.2 metric 82"
    " proto 82",
    "one route": "ip route del 198.51.100.0/24 dev tun0",
    "rules": "for p in 32400 32401 32410 32411; do for f in -4 -6; do"
    " while ip $f rule del priority $p 2>&-; do :; done; done; done",
    "device down": "ip link set tun0 down",
    "device down and up": "printf 'link set tun0 down\\nlink set tun0 up\\n' | ip -batch -",
    "addresses": "ip addr flush dev tun0 scope global",
    "one address": "ip addr del 10.10.100.1/32 dev tun0",
}


@pytest.mark.parametrize("which", list(FLUSHES))
def test_it_is_put_back_told_once_and_counted(world: World, endpoint: Agent, which: str) -> None:
    edit = partial(world.exec, "endpoint", "sh", "-c", FLUSHES[which])
    put_back_told_once_and_counted(endpoint, edit, partial(place, world))
    for address in BUSINESS:
        assert world.ping(address)
    status = endpoint.status()
    assert status["routes"]["in_place"] == status["routes"]["wanted"] == len(ROUTES)


def test_an_address_without_routes_is_put_back(world: World) -> None:
    world.router("router_a")
    endpoint = world.endpoint(tunnel={"routes": []})
    wait_until(lambda: endpoint.tunnels().get("router_a", {}).get("up"), 20, "tunnel up")
    before = place(world)
    world.ip("endpoint", "addr", "del", "10.10.100.1/32", "dev", "tun0")
    wait_until(lambda: place(world) == before, BACK_S, "it is back")
    assert "address 10.10.100.1/32 of tun0 removed by somebody" in endpoint.log


def test_what_is_lost_again_and_again_is_left_for_a_minute_and_is_not_green(
    world: World, endpoint: Agent
) -> None:
    for number in range(1, 5):
        world.ip("endpoint", "route", "del", "198.51.100.0/24", "dev", "tun0")
        wait_until(lambda n=number: endpoint.status()["put_back"] == n, BACK_S, "put back")
        assert endpoint.status()["problems"] == []
    world.ip("endpoint", "route", "del", "198.51.100.0/24", "dev", "tun0")
    (problem,) = wait_until(lambda: endpoint.status()["problems"], BACK_S, "it is a problem")
    assert problem["what"] == "route 198.51.100.0/24 of tun0 cannot be kept: tried once a minute"
    assert abs(problem["since"] - time.time()) < 60
    status = endpoint.status()
    assert status["routes"] == {"wanted": len(ROUTES), "in_place": len(ROUTES) - 1}
    assert (status["put_back"], status["not_kept"]) == (4, 1)
    assert "198.51.100.0/24 dev tun0" not in ours(world)
    assert endpoint.log.count("removed by somebody five times in a minute") == 1
    # Others are put back all the same.
    world.ip("endpoint", "-6", "route", "del", "2001:db8:100::/64", "dev", "tun0")
    wait_until(lambda: "2001:db8:100::/64" in ours(world), BACK_S, "another one is back")


def test_a_network_manager_that_removes_all_it_does_not_know(world: World, endpoint: Agent) -> None:
    """As one that is restarted: everything at once, the default routes of the host come back."""
    before = place(world)
    for family, gateway in (("-4", "192.0.2.2"), ("-6", "2001:db8:a::2")):
        world.ip("endpoint", family, "route", "flush", "dev", "tun0")
        world.ip("endpoint", family, "route", "del", "default")
        for priority in ("32400", "32401", "32410", "32411"):
            if f"{priority}:" in world.ip("endpoint", family, "rule"):
                world.ip("endpoint", family, "rule", "del", "priority", priority)
        world.ip("endpoint", family, "route", "add", "default", "via", gateway)
    wait_until(lambda: place(world) == before, BACK_S, "all is back")
    assert world.ping(BUSINESS[0])


@pytest.mark.parametrize("which", ["endpoint", "router_a"])
def test_a_deleted_device_ends_the_agent_with_a_message(
    world: World, endpoint: Agent, which: str
) -> None:
    agent = endpoint if which == "endpoint" else world.agent(which)
    before = place(world)
    world.ip(which, "link", "del", "tun0")
    assert agent.process.wait(5) == 1
    assert "the device tun0 was deleted: this agent ends, to be started again" in agent.log
    assert "Traceback" not in agent.log
    agent.start()
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up again")
    wait_until(lambda: place(world) == before, BACK_S, "all is back")
    assert world.ping(BUSINESS[0])
    assert "Traceback" not in agent.log
