"""An underlay with MTU 1280: full datagrams cross it in fragments, wherever it is."""

from __future__ import annotations

import pytest

from tests.netns import transfer
from tests.netns.conftest import one_router
from tests.netns.world import BUSINESS, World

MTU = "1280"
ROUTED = {
    4: {"endpoint": "203.0.113.1", "m0": "203.0.113.2", "m1": "203.0.113.5", "wan2": "203.0.113.6"},
    6: {
        "endpoint": "2001:db8:c::1",
        "m0": "2001:db8:c::2",
        "m1": "2001:db8:d::1",
        "wan2": "2001:db8:d::2",
    },
}
BITS = {4: 30, 6: 64}


@pytest.mark.parametrize("underlay", [4, 6])
def test_a_small_mtu_on_the_routers_link_and_one_hop_from_the_endpoint(
    world: World, codec: str, underlay: int
) -> None:
    world.host("middle")
    world.link(("endpoint", "up2"), ("middle", "m0"))
    world.link(("middle", "m1"), ("router_a", "wan2"))
    world.exec("middle", "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    world.ip("middle", "link", "set", "m1", "mtu", MTU)
    world.ip("router_a", "link", "set", "wan2", "mtu", MTU)
    names = ROUTED[underlay]
    for host, interface in (
        ("endpoint", "up2"),
        ("middle", "m0"),
        ("middle", "m1"),
        ("router_a", "wan2"),
    ):
        address = names["endpoint" if interface == "up2" else interface]
        world.address(host, interface, f"{address}/{BITS[underlay]}")
    world.ip("endpoint", "route", "add", names["wan2"], "via", names["m0"])
    world.ip("router_a", "route", "add", names["endpoint"], "via", names["m1"])
    router, endpoint = one_router(world, path=(names["endpoint"], names["wan2"]))
    for address in BUSINESS:
        transfer.tcp(world, address, 10_000_000)
        transfer.tcp(world, address, 2_000_000, upload=True)
        transfer.udp(world, address)
    # Trains of datagrams that are too long went one by one; shorter ones still go together.
    for agent in (router, endpoint):
        assert "udp_segment" in agent.status()["offloads"]
