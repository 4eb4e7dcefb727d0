"""What a router's host has or reaches without a tunnel, no endpoint can claim."""

from __future__ import annotations

from typing import Any

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import is_up, one_router
from tests.netns.world import BUSINESS, ENDPOINT_TUN, UNDERLAY6, Agent, World

ANYTHING = {"endpoint_networks": ["0.0.0.0/0", "::/0"]}
ELSEWHERE = "10.77.0.5"


def asking(world: World, **tunnel: Any) -> Agent:
    """An endpoint of router_a."""
    near, far = UNDERLAY6["router_a"]
    entry = {"router_id": "router_a", "external_ip": far, "bind_address": near}
    return world.endpoint(routers=[entry], tunnel=tunnel)


def refused(router: Agent, why: str) -> None:
    wait_until(
        lambda: f"refused endpoint_1 from [{UNDERLAY6['router_a'][0]}]" in router.log,
        20,
        "it is refused",
    )
    assert why in router.log
    assert router.tunnels() == {}


def leads(world: World, address: str) -> str:
    """Where the router's host sends packets to this address; empty: nowhere."""
    words = world.exec("router_a", "ip", "route", "get", address, check=False).split()
    return words[words.index("dev") + 1] if "dev" in words else ""


@pytest.mark.parametrize(
    ("tunnel", "why"),
    [
        (
            {"tun_ipv4": BUSINESS[0]},
            "198.51.100.10 lies in 198.51.100.0/24, which egress0 is connected to",
        ),
        (
            {"tun_ipv6": BUSINESS[1]},
            "2001:db8:100::10 lies in 2001:db8:100::/64, which egress0 is connected to",
        ),
        ({"tun_ipv4": "198.51.100.1"}, "198.51.100.1 is an address of this router"),
        ({"tun_ipv4": "203.0.113.1"}, "203.0.113.1 is a gateway of this router"),
        ({"tun_ipv4": "203.0.113.80"}, "203.0.113.80 is that of load_balancer.url"),
        ({"tun_ipv4": "203.0.113.81"}, "203.0.113.81 is that of network_controller.url"),
        ({"tun_ipv4": "203.0.113.82"}, "203.0.113.82 is that of egress.check_ip"),
    ],
)
def test_what_is_somebody_elses_is_refused(world: World, tunnel: dict[str, str], why: str) -> None:
    onlink = ("via", "203.0.113.1", "dev", "egress0", "onlink")
    world.ip("router_a", "route", "add", "198.18.0.0/24", *onlink)
    router = world.router(
        "router_a",
        tunnel=ANYTHING,
        load_balancer={"url": "http://203.0.113.80:8080"},
        network_controller={"url": ["http://203.0.113.81:8081"]},
        egress={"check_ip": "203.0.113.82"},
    )
    (wanted,) = tunnel.values()
    before = leads(world, wanted) if "203" not in wanted else None
    asking(world, **tunnel)
    refused(router, why)
    assert before is None or leads(world, wanted) == before


def test_by_default_endpoints_are_where_the_example_has_them(world: World) -> None:
    router = world.router("router_a", tunnel={"tun_ipv6": "fd00:99::1/64"})
    endpoint = asking(world, tun_ipv4="192.168.50.10", tun_ipv6="fd00:100::1")
    refused(router, "192.168.50.10 is outside of tunnel.endpoint_networks")
    endpoint.stop()
    tunnel = {**endpoint.config["tunnel"], "tun_ipv4": ENDPOINT_TUN[0]}
    endpoint.write({**endpoint.config, "tunnel": tunnel})
    endpoint.start()
    wait_until(lambda: is_up(endpoint), 20, "the tunnel is up")


def test_the_host_is_followed_while_the_router_runs(world: World) -> None:
    router, endpoint = one_router(
        world, router=world.router("router_a", tunnel=ANYTHING), tun_ipv4=ELSEWHERE
    )
    wait_until(lambda: leads(world, ELSEWHERE) == "tun0", 5, "its address is routed")
    assert world.ping(BUSINESS[0])
    world.address("router_a", "egress0", "10.77.0.1/24")
    wait_until(lambda: not is_up(endpoint), 10, "the tunnel is closed")
    assert (
        "tunnel to endpoint_1 is closed: 10.77.0.5 lies in 10.77.0.0/24, which egress0 is"
        " connected to" in router.log
    )
    wait_until(lambda: leads(world, ELSEWHERE) == "egress0", 5, "the LAN has its address again")
    refused(router, "10.77.0.5 lies in 10.77.0.0/24")
    world.ip("router_a", "addr", "del", "10.77.0.1/24", "dev", "egress0")
    wait_until(lambda: is_up(endpoint), 10, "the tunnel is up again")
    onlink = ("via", ELSEWHERE, "dev", "egress0", "onlink")
    world.ip("router_a", "route", "add", "198.18.0.0/24", *onlink)
    wait_until(lambda: not is_up(endpoint), 10, "the tunnel is closed")
    assert f"tunnel to endpoint_1 is closed: {ELSEWHERE} is a gateway of this" in router.log
    world.ip("router_a", "route", "del", "198.18.0.0/24", *onlink[:-1])
    wait_until(lambda: is_up(endpoint), 10, "the tunnel is up again")
    assert world.ping(BUSINESS[0])
