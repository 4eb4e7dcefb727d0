"""TCP and UDP over both inner families and both outer ones, through either codec."""

from __future__ import annotations

import pytest

from tests.netns import transfer
from tests.netns.conftest import one_router
from tests.netns.world import BUSINESS, ROUTER_TUN, World

ECHO_PORT = 7007
"""Of the router's own host, open to its tunnels."""


@pytest.mark.parametrize("underlay", [4, 6])
def test_tcp_and_udp_over_both_inner_families(world: World, codec: str, underlay: int) -> None:
    opened = {"allow_input": [{"proto": "udp", "port": ECHO_PORT}]}
    router, endpoint = one_router(
        world, underlay=underlay, router=world.router("router_a", tunnel=opened)
    )
    assert router.status()["codec"] == endpoint.status()["codec"] == codec
    for address in BUSINESS:
        transfer.tcp(world, address, 5_000_000)
        transfer.tcp(world, address, 5_000_000, upload=True)
        transfer.udp(world, address)
    for address in ROUTER_TUN["router_a"]:
        transfer.udp(world, address, host="router_a", port=ECHO_PORT)
    for agent in (router, endpoint):
        drops = agent.status()["figures"]["drops"]
        assert not any(drops.values()), drops
