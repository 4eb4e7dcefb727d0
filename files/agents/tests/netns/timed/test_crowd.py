"""What many endpoints that come and go at once cost all others, and their routes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from testbed.wait import wait_until

from tests.netns.crowd import Crowd
from tests.netns.world import Agent, World

ENDPOINTS = 200
MOST_MS = 5.0
"""Of one turn of the packet loop."""
ATTEMPTS = 5
"""On a busy machine another thread of the router's may be kept from a processor just when it has
the interpreter."""
SOON_S = 5.0


@pytest.fixture
def crowd(world: World) -> Iterator[Crowd]:
    with ExitStack() as opened:
        yield Crowd(world, ENDPOINTS, opened)


def routes(world: World) -> set[str]:
    """Single addresses that are routed to the TUN device."""
    lines: list[str] = []
    for family in ("-4", "-6"):
        shown = world.exec("router_a", "ip", family, "route", "show", "dev", "tun0", "proto", "83")
        lines += shown.splitlines()
    return {line.split()[0] for line in lines}


def come_and_go(world: World, router: Agent, crowd: Crowd) -> float:
    """The longest turn of the router's packet loop since it began, in ms."""
    crowd.connect()
    claims = [member.claim for member in crowd.members]
    wanted = {str(address) for c in claims for address in (c.tun_ipv4, c.tun_ipv6)}
    assert len(wanted) == 2 * ENDPOINTS
    wait_until(lambda: routes(world) == wanted, SOON_S, "all routes are there")
    assert len(router.tunnels()) == ENDPOINTS
    crowd.leave()
    wait_until(lambda: not routes(world), SOON_S, "and gone")
    assert router.tunnels() == {}
    return float(router.status()["longest_turn_ms"])


def test_a_crowd_outside_of_the_routers_network_holds_nobody_up(world: World, crowd: Crowd) -> None:
    networks = ["10.77.0.0/16", "fd00:77::/32"]
    router = world.router("router_a", tunnel={"endpoint_networks": networks})
    longest = []
    for _ in range(ATTEMPTS):
        wait_until(router.status, 20, "it runs")
        longest.append(come_and_go(world, router, crowd))
        if longest[-1] < MOST_MS:
            return
        assert router.stop() == 0
        router.start()
    pytest.fail(f"turns of {longest} ms")
