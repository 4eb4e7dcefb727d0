"""The kernel tells of addresses as they come, go and move."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator

import pytest

from nrs.system.addresses import Addresses
from nrs.system.link_events import LinkEvents
from tests.netns.world import UPLINK, World

FIRST, SECOND = UPLINK.values()
Where = Callable[[str], str | None]


@pytest.fixture
def where(world: World) -> Iterator[Where]:
    """The endpoint's interface that has an address, as told since the test began."""
    addresses = Addresses()
    with world.inside("endpoint"):
        events = LinkEvents()

    def ask(address: str) -> str | None:
        addresses.take(events.read())  # an event is there when the change is made
        return addresses.interface_of(ipaddress.ip_address(address))

    try:
        addresses.take(events.first())
        yield ask
    finally:
        events.close()


@pytest.mark.parametrize(
    "network", ["10.9.1.1/24", "2001:db8:9::1/64", "169.254.9.9/16", "fe80::9/64"]
)
def test_an_address_is_followed(world: World, where: Where, network: str) -> None:
    address = network.partition("/")[0]
    assert where(address) is None
    world.address("endpoint", FIRST, network)
    assert where(address) == FIRST
    world.ip("endpoint", "addr", "del", network, "dev", FIRST)
    assert where(address) is None
    world.address("endpoint", SECOND, network)
    assert where(address) == SECOND
    world.ip("endpoint", "link", "set", SECOND, "down")
    world.ip("endpoint", "link", "set", SECOND, "name", "up9")
    if ":" not in address:  # those of IPv6 go as their link goes down
        assert where(address) == "up9"
    world.ip("endpoint", "link", "del", "up9")
    assert where(address) is None
    world.link(("endpoint", SECOND), ("router_b", "wan9"))
    world.address("endpoint", SECOND, network)
    assert where(address) == SECOND


def test_an_address_stays_that_only_gets_another_prefix(world: World, where: Where) -> None:
    for network in ("10.9.1.1/24", "10.9.1.1/25"):
        world.address("endpoint", FIRST, network)
    world.ip("endpoint", "addr", "del", "10.9.1.1/24", "dev", FIRST)
    assert where("10.9.1.1") == FIRST
