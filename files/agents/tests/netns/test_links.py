"""Addresses of an interface, in a namespace."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import Iterator

import pytest

from nrs.system.links import Links
from tests.netns.world import World

NAME = "up0"
WANTED = (ipaddress.ip_interface("10.9.1.1/24"), ipaddress.ip_interface("fd00:9::1/64"))
UNWANTED = (
    "10.9.2.1/24",
    "10.9.2.2/24",
    "10.9.2.3/24",
    "10.9.3.1 peer 10.9.3.2/32",
    "fd00:9::2/64",
)


@pytest.fixture
def links(world: World) -> Iterator[Links]:
    with world.inside("endpoint"), Links() as opened:
        yield opened


def addresses(world: World) -> set[str]:
    listed = json.loads(world.exec("endpoint", "ip", "-j", "addr", "show", "dev", NAME))
    return {a["local"] for a in listed[0]["addr_info"] if a["scope"] != "link"}


def test_only_the_addresses_that_are_wanted_stay(world: World, links: Links) -> None:
    world.exec("endpoint", "sysctl", "-w", f"net.ipv4.conf.{NAME}.promote_secondaries=0")
    for address in WANTED:
        links.add_address(NAME, address)
    for text in UNWANTED:
        world.ip("endpoint", "addr", "add", *text.split(), "dev", NAME)
    assert len(addresses(world)) > len(WANTED) + len(UNWANTED)  # those of the world
    links.keep_addresses(NAME, WANTED)
    assert addresses(world) == {str(address.ip) for address in WANTED}
    links.keep_addresses(NAME, WANTED)
