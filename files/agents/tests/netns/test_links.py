"""Addresses and routes of an interface, in a namespace."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator

import pytest

from nrs.system.links import Links
from tests.netns.world import World

NAME = "up0"
DEFAULTS = {ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")}
OTHERS = {ipaddress.ip_network("203.0.113.0/24"), ipaddress.ip_network("2001:db8:99::/48")}


@pytest.fixture
def links(world: World) -> Iterator[Links]:
    with world.inside("endpoint"), Links() as opened:
        yield opened


def test_routes_are_listed_until_they_are_removed(links: Links) -> None:
    for network in DEFAULTS | OTHERS:
        links.add_route(network, NAME)
    assert links.routes(NAME) == DEFAULTS | OTHERS
    for network in DEFAULTS:
        links.remove_route(network, NAME)
        links.remove_route(network, NAME)
    assert links.routes(NAME) == OTHERS
