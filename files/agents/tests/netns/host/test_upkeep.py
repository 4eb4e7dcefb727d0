"""What a router needs of its host is put back when somebody takes it away. Bounds have slack."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import one_router
from tests.netns.world import BUSINESS, Agent, World

Running = tuple[World, Agent]


@pytest.fixture
def running(world: World) -> Running:
    router, endpoint = one_router(world, router=world.router("router_a"))
    assert world.ping(BUSINESS[0], 1), endpoint.log
    return world, router


def sysctl(world: World, name: str) -> str:
    return world.exec("router_a", "sysctl", "-n", name).strip()


def has_table(world: World) -> bool:
    said = world.exec("router_a", "nft", "list", "ruleset")
    times = {"masquerade": 6, "maxseg": 2, "notrack": 2, "zone set": 1}
    return {word: said.count(word) for word in times} == times


def put_back(router: Agent) -> int:
    return int(router.status()["put_back"])


@pytest.mark.parametrize(
    "name",
    [
        "net.ipv4.ip_forward",
        "net.ipv6.conf.all.forwarding",
        "net.ipv4.conf.egress0.forwarding",
        "net.ipv4.conf.tun0.forwarding",
    ],
)
def test_forwarding_that_is_turned_off(running: Running, name: str) -> None:
    world, router = running
    world.exec("router_a", "sysctl", "-q", f"{name}=0")
    began = time.monotonic()
    wait_until(lambda: sysctl(world, name) == "1", 5, "it is on again")
    assert time.monotonic() - began < 2
    wait_until(lambda: put_back(router) == 1, 2, "it is counted")
    assert router.log.count(f"has turned {name} off: put back") == 1
    assert router.status()["problems"] == []
    assert world.ping(BUSINESS[0])
    assert world.ping(BUSINESS[1])


@pytest.mark.parametrize(
    "change",
    [
        "flush ruleset",
        "delete table inet nrs_routing_server",
        "flush table inet nrs_routing_server",
        "flush chain inet nrs_routing_server postrouting",
        "add chain inet nrs_routing_server c { type filter hook forward priority 0; policy drop; }",
        "add rule inet nrs_routing_server postrouting drop; "
        "flush chain inet nrs_routing_server guard_input",
        # As many rules as before, and other ones.
        "flush chain inet nrs_routing_server postrouting;"
        + 8 * "add rule inet nrs_routing_server postrouting counter;",
        "flush chain inet nrs_routing_server untracked_output;"
        "add rule inet nrs_routing_server untracked_output counter",
        "delete chain inet nrs_routing_server untracked_prerouting",
        "flush chain inet nrs_routing_server guard_forward;"
        + 2 * "add rule inet nrs_routing_server guard_forward accept;",
        "add chain inet nrs_routing_server forward { policy drop; }",
        "add table inet nrs_routing_server { flags dormant; }",
    ],
)
def test_a_firewall_reload_that_takes_the_table(running: Running, change: str) -> None:
    world, router = running
    world.exec("router_a", "nft", change)
    began = time.monotonic()
    wait_until(lambda: has_table(world), 5, "the table is back")
    assert time.monotonic() - began < 2
    wait_until(lambda: put_back(router) == 1, 2, "it is counted")
    assert router.log.count("put back") == 1
    assert world.ping(BUSINESS[0])


def test_changes_of_other_tables_are_nothing_to_it(running: Running) -> None:
    world, router = running
    for _ in range(10):
        world.exec("router_a", "nft", "add table inet other; delete table inet other")
    time.sleep(1.5)
    assert put_back(router) == 0
    assert "put back" not in router.log


def take_forwarding(world: World) -> None:
    world.exec("router_a", "sysctl", "-q", "net.ipv4.ip_forward=0")


def take_table(world: World) -> None:
    world.exec("router_a", "nft", "flush ruleset")


@pytest.mark.parametrize(
    ("take", "what"),
    [(take_forwarding, "net.ipv4.ip_forward"), (take_table, "inet nrs_routing_server")],
)
def test_what_is_taken_five_times_is_a_problem(
    running: Running, take: Callable[[World], None], what: str
) -> None:
    world, router = running
    for times in range(1, 6):
        take(world)
        if times < 5:
            wait_until(lambda n=times: put_back(router) >= n, 5, "it is put back")
    wait_until(lambda: what in str(router.status()["problems"]), 5, "it is a problem")
    time.sleep(2)
    assert what in str(router.status()["problems"])
    told = router.command("metrics")
    assert (told["put_back"], told["not_kept"]) == (put_back(router), 1)
    assert told["put_back"] >= 4
    assert sysctl(world, "net.ipv4.ip_forward") == "0" or not has_table(world)
    assert router.log.count(": put back\n") == 1
    assert router.log.count("put back once a minute") == 1


def test_what_was_off_before_is_off_after_it(world: World) -> None:
    world.exec("router_a", "sysctl", "-q", "net.ipv4.ip_forward=0")
    router = world.router("router_a")
    wait_until(lambda: router.status().get("role"), 20, "the router runs")
    take_forwarding(world)
    wait_until(lambda: put_back(router) >= 1, 5, "it is put back")
    router.stop()
    assert sysctl(world, "net.ipv4.ip_forward") == "0"
    assert sysctl(world, "net.ipv4.conf.egress0.forwarding") == "0"
