"""What somebody takes away from a router's device is put back."""

from __future__ import annotations

import time
from functools import partial

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import is_up
from tests.netns.host.edits import BACK_S, put_back_told_once_and_counted
from tests.netns.world import BUSINESS, Agent, World

SMALL = {"tun_ipv4": "10.10.1.1/24", "tun_ipv6": "fd00:10:1::1/64"}
"""Networks that the endpoint's addresses are not in: they have routes of their own."""
EDITS = {
    "routes": "ip route flush dev tun0; ip -6 route flush dev tun0",
    "network": "ip route del 10.10.1.0/24 dev tun0",
    "IPv6 network": "ip -6 route del fd00:10:1::/64 dev tun0",
    "endpoint": "ip route del 10.10.100.1 dev tun0",
    "IPv6 endpoint": "ip -6 route del fd00:10:100::1 dev tun0",
    "device down": "ip link set tun0 down",
    "device down and up": "printf 'link set tun0 down\\nlink set tun0 up\\n' | ip -batch -",
    "addresses": "ip addr flush dev tun0 scope global",
    "address": "ip addr del 10.10.1.1/24 dev tun0",
}
REPLACED = {
    "by another": "ip route replace 10.10.100.1/32 dev lo metric 82",
    "by none": "ip route replace blackhole 10.10.100.1/32 metric 82",
}


@pytest.fixture
def router(world: World) -> Agent:
    router = world.router(
        "router_a", tunnel={**SMALL, "endpoint_networks": ["10.10.0.0/16", "fd00:10::/32"]}
    )
    endpoint = world.endpoint()
    wait_until(lambda: is_up(endpoint), 20, "the tunnel is up")
    wait_until(lambda: "10.10.100.1" in place(world), 5, "the endpoint has its route")
    return router


def place(world: World) -> str:
    """What is the router's on its host, but for what the kernel alone does."""
    commands = (
        "ip -o addr show dev tun0 scope global; ip route show dev tun0; ip -6 route show dev tun0;"
        " ip -o link show tun0"
    )
    lines = world.exec("router_a", "sh", "-c", commands).splitlines()
    lines[-1] = lines[-1].partition("<")[2].partition(">")[0]
    kept = [line for line in lines if "fe80::" not in line and "multicast" not in line]
    return "\n".join(sorted(line.partition(": tun0")[2] or line for line in kept))


@pytest.mark.parametrize("which", list(EDITS))
def test_it_is_put_back_told_once_and_counted(world: World, router: Agent, which: str) -> None:
    edit = partial(world.exec, "router_a", "sh", "-c", EDITS[which])
    put_back_told_once_and_counted(router, edit, partial(place, world))
    for address in BUSINESS:
        assert world.ping(address)
    assert " ERROR " not in router.log


def test_what_is_lost_again_and_again_is_left_for_a_minute_and_is_not_green(
    world: World, router: Agent
) -> None:
    for number in range(1, 5):
        world.ip("router_a", "route", "del", "10.10.100.1", "dev", "tun0")
        wait_until(lambda n=number: router.status()["put_back"] == n, BACK_S, "put back")
        assert router.status()["problems"] == []
    world.ip("router_a", "route", "del", "10.10.100.1", "dev", "tun0")
    (problem,) = wait_until(lambda: router.status()["problems"], BACK_S, "it is a problem")
    assert problem["what"] == "route 10.10.100.1/32 of tun0 cannot be kept: tried once a minute"
    assert abs(problem["since"] - time.time()) < 60
    assert router.status()["not_kept"] == 1
    assert router.log.count("removed by somebody five times in a minute") == 1
    # Others are put back all the same.
    world.ip("router_a", "-6", "route", "del", "fd00:10:100::1", "dev", "tun0")
    wait_until(lambda: "fd00:10:100::1" in place(world), BACK_S, "another one is back")


@pytest.mark.parametrize("how", list(REPLACED))
def test_a_route_that_somebody_replaces_is_a_problem_until_his_goes(
    world: World, router: Agent, how: str
) -> None:
    before = place(world)
    world.exec("router_a", "sh", "-c", REPLACED[how])
    wait_until(lambda: "cannot add the route of 10.10.100.1" in router.log, BACK_S, "it is told")
    assert router.status()["put_back"] == 0
    world.exec("router_a", "ip", "route", "del", "10.10.100.1/32", "metric", "82")
    wait_until(lambda: place(world) == before, BACK_S, "it is back")
    assert world.ping(BUSINESS[0])


def test_routes_of_endpoints_that_leave_stay_away(world: World, router: Agent) -> None:
    world.agent("endpoint").stop()
    wait_until(lambda: "10.10.100.1" not in place(world), 5, "its route is gone")
    world.ip("router_a", "link", "set", "tun0", "down")
    wait_until(lambda: "UP" in place(world).split(","), BACK_S, "the device is up again")
    time.sleep(0.5)  # what must not happen has no event to wait for
    assert "10.10.100.1" not in place(world)
    assert router.status()["problems"] == []
