"""The kernel tells of addresses as they come, go and move."""

from __future__ import annotations

import ipaddress

import pytest

from nrs.system.addresses import Addresses
from nrs.system.link_events import LinkEvents
from tests.netns.world import UPLINK, World

FIRST, SECOND = UPLINK.values()


@pytest.mark.parametrize(
    "network", ["10.9.1.1/24", "2001:db8:9::1/64", "169.254.9.9/16", "fe80::9/64"]
)
def test_an_address_is_followed(world: World, network: str) -> None:
    address = ipaddress.ip_interface(network).ip
    addresses = Addresses()
    with world.inside("endpoint"):
        events = LinkEvents()

    def where() -> str | None:
        addresses.take(events.read())  # an event is there when the change is made
        return addresses.interface_of(address)

    try:
        addresses.take(events.first())
        assert where() is None
        world.address("endpoint", FIRST, network)
        assert where() == FIRST
        world.ip("endpoint", "addr", "del", network, "dev", FIRST)
        assert where() is None
        world.address("endpoint", SECOND, network)
        assert where() == SECOND
        world.ip("endpoint", "link", "set", SECOND, "down")
        world.ip("endpoint", "link", "set", SECOND, "name", "up9")
        if address.version == 4:  # those of IPv6 go as their link goes down
            assert where() == "up9"
        world.ip("endpoint", "link", "del", "up9")
        assert where() is None
        world.link(("endpoint", SECOND), ("router_b", "wan9"))
        world.address("endpoint", SECOND, network)
        assert where() == SECOND
    finally:
        events.close()
