"""A router whose egress is dead says so at once, and when it is back. Bounds have slack.

router_b, not router_a: where both ends of a veth have the same index, as router_a's do, the kernel
holds news of a lost carrier back while any other link has changed within the last second.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Callable
from functools import partial

import pytest
from testbed.wait import wait_until

from tests.netns.world import BUSINESS, Agent, World

DROP = (
    "add table inet silence;"
    "add chain inet silence i { type filter hook prerouting priority -400; };"
    "add rule inet silence i meta l4proto { icmp, ipv6-icmp } drop"
)


def router(world: World, check_ip: str | None) -> Agent:
    agent = world.router("router_b", egress={"check_ip": check_ip})
    wait_until(lambda: agent.status().get("egress_up"), 20, "the router runs")
    return agent


def seconds_until(agent: Agent, up: bool) -> float:
    began = time.monotonic()
    wait_until(lambda: agent.status()["egress_up"] is up, 10, f"egress_up is {up}")
    return time.monotonic() - began


@pytest.mark.parametrize("check_ip", [None, *BUSINESS])
def test_a_lost_carrier_shows_at_once(world: World, check_ip: str | None) -> None:
    agent = router(world, check_ip)
    world.ip("business", "link", "set", "r2", "down")
    assert seconds_until(agent, False) < 0.3
    assert agent.status()["egress_reason"] == "egress0 has no carrier"
    world.ip("business", "link", "set", "r2", "up")
    assert seconds_until(agent, True) < 3
    assert agent.status()["egress_reason"] is None
    assert agent.log.count("egress is down") == 1
    assert agent.log.count("egress is up again") == 1


@pytest.mark.parametrize("check_ip", BUSINESS)
def test_a_silent_business_server_shows_within_a_second(world: World, check_ip: str) -> None:
    agent = router(world, check_ip)
    time.sleep(1.5)  # in this time nothing may happen: it answers
    assert "egress is down" not in agent.log
    world.exec("business", "nft", DROP)
    assert 0.3 < seconds_until(agent, False) < 2
    assert agent.status()["egress_reason"] == f"{check_ip} does not answer through egress0"
    world.exec("business", "nft", "delete table inet silence")
    assert seconds_until(agent, True) < 2


def take_address(world: World) -> None:
    for address in ("198.51.100.2/24", "2001:db8:100::2/64"):
        world.ip("router_b", "addr", "del", address, "dev", "egress0")


def give_address(world: World) -> None:
    world.address("router_b", "egress0", "198.51.100.2/24")
    world.address("router_b", "egress0", "2001:db8:100::2/64")


def remove(world: World) -> None:
    world.ip("router_b", "link", "del", "egress0")


def make(world: World) -> None:
    world.link(("router_b", "egress0"), ("business", "r2"))
    world.ip("business", "link", "set", "r2", "master", "br0")
    give_address(world)


def shut(world: World) -> None:
    world.ip("router_b", "link", "set", "egress0", "down")


def open_again(world: World) -> None:
    world.ip("router_b", "link", "set", "egress0", "up")


@pytest.mark.parametrize("check_ip", [None, BUSINESS[0]])
@pytest.mark.parametrize(
    ("lose", "mend", "reason"),
    [
        (take_address, give_address, "egress0 has lost its addresses"),
        (remove, make, "egress0 is not there"),
        (shut, open_again, "egress0 is down"),
    ],
)
def test_an_interface_is_lost_and_comes_back(
    world: World,
    lose: Callable[[World], None],
    mend: Callable[[World], None],
    reason: str,
    check_ip: str | None,
) -> None:
    agent = router(world, check_ip)
    lose(world)
    assert seconds_until(agent, False) < 0.3
    wait_until(lambda: agent.status()["egress_reason"] == reason, 2, reason)
    mend(world)
    assert seconds_until(agent, True) < 3


def reloaded(agent: Agent, times: int) -> bool:
    return agent.log.count("configuration reloaded") == times


def test_a_reload_takes_over_what_is_watched(world: World) -> None:
    agent = router(world, None)
    nobody = "198.51.100.99"
    for reloads, (egress, up) in enumerate(
        (
            ({"check_ip": nobody}, False),
            ({"check_ip": nobody, "check_misses": 2}, False),
            ({"check_ip": BUSINESS[1], "check_interval": 0.1}, True),
            ({"check_ip": nobody, "check_misses": 1}, False),
            ({}, True),
        ),
        start=1,
    ):
        agent.write({**agent.config, "egress": egress})
        agent.signal(signal.SIGHUP)
        wait_until(partial(reloaded, agent, reloads), 5, "the agent reloads")
        seconds_until(agent, up)
    assert agent.log.count("is up again") == 2
    server = agent.config["server"]
    agent.write({**agent.config, "server": {**server, "egress_interface": "egress9"}})
    agent.signal(signal.SIGHUP)
    seconds_until(agent, False)
    assert agent.status()["egress_reason"] == "egress9 is not there"
    agent.write({**agent.config, "server": server, "egress": {"check_ip": BUSINESS[0]}})
    agent.signal(signal.SIGHUP)
    seconds_until(agent, True)
    assert 'oifname "egress0"' in world.exec("router_b", "nft", "list", "ruleset")
