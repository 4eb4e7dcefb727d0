"""A router's routes, in a namespace."""

from __future__ import annotations

import errno
import ipaddress
import json
from collections.abc import Iterator
from contextlib import closing

import pytest

from nrs.system.host_routes import HostRoutes, Refused
from nrs.system.route import Prefix, prefix_of
from tests.netns.world import World

NAME = "up0"
ONE4, ONE6 = (prefix_of(ipaddress.ip_network(text)) for text in ("10.77.0.1", "fd00:77::1"))
TWO4, TWO6 = (prefix_of(ipaddress.ip_network(text)) for text in ("10.77.2.0/24", "fd00:77:2::/48"))
NOT_OURS = ("203.0.113.0/24", "2001:db8:99::/48", "203.0.113.9/32", "2001:db8:99::9/128")
"""Networks, and single addresses that somebody else has routed."""


@pytest.fixture
def routes(world: World) -> Iterator[HostRoutes]:
    with world.inside("endpoint"), closing(HostRoutes(NAME)) as opened:
        yield opened


def change(routes: HostRoutes, *wanted: Prefix, unwanted: tuple[Prefix, ...] = ()) -> list[Refused]:
    requests = [routes.request(prefix, wanted=True) for prefix in wanted]
    requests += [routes.request(prefix, wanted=False) for prefix in unwanted]
    return routes.carry_out(requests)


def shown(world: World) -> set[str]:
    return {
        route["dst"]
        for family in ("-4", "-6")
        for route in json.loads(
            world.exec("endpoint", "ip", "-j", family, "route", "show", "dev", NAME, "proto", "83")
        )
    }


def test_they_are_there_until_they_are_removed(world: World, routes: HostRoutes) -> None:
    assert change(routes, ONE4, ONE6, TWO4, TWO6) == []
    assert shown(world) == {"10.77.0.1", "10.77.2.0/24", "fd00:77::1", "fd00:77:2::/48"}
    there = [Refused(ONE4, True, errno.EEXIST)]
    assert change(routes, ONE4, unwanted=(TWO4, TWO6)) == there
    assert change(routes, unwanted=(TWO4, TWO6)) == []
    assert shown(world) == {"10.77.0.1", "fd00:77::1"}
    assert routes.present() == {ONE4, ONE6}


def test_a_route_of_somebody_else_stays(world: World, routes: HostRoutes) -> None:
    for family, own in (("-4", "10.77.0.1"), ("-6", "fd00:77::1")):
        world.ip("endpoint", family, "route", "add", own, "dev", "up1")
    before = world.ip("endpoint", "route"), world.ip("endpoint", "-6", "route")
    assert change(routes, ONE4, ONE6) == []
    assert routes.present() == {ONE4, ONE6}
    assert change(routes, unwanted=(ONE4, ONE6)) == []
    assert (world.ip("endpoint", "route"), world.ip("endpoint", "-6", "route")) == before


def test_only_what_agents_have_added_through_the_interface_is_theirs(
    world: World, routes: HostRoutes
) -> None:
    for network in NOT_OURS:
        world.ip("endpoint", "route", "add", network, "dev", NAME)
    world.ip("endpoint", "route", "add", "10.77.0.9", "dev", "up1", "proto", "83")
    world.ip("endpoint", "route", "add", "10.77.0.8", "dev", NAME, "proto", "83", "table", "7")
    change(routes, ONE4, ONE6)
    assert routes.present() == {ONE4, ONE6}


def test_thousands_are_listed_and_removed(routes: HostRoutes) -> None:
    first4, first6 = (int(ipaddress.ip_address(text)) for text in ("10.78.0.0", "fd00:78::"))
    each = ((4, first4, 32), (6, first6, 128))
    many = [(version, first + n, bits) for n in range(2000) for version, first, bits in each]
    for start in range(0, len(many), 64):
        assert change(routes, *many[start : start + 64]) == []
    assert routes.present() == set(many)
    for start in range(0, len(many), 64):
        assert change(routes, unwanted=tuple(many[start : start + 64])) == []
    assert routes.present() == set()


def test_refusals_name_the_route_and_hold_up_no_other(world: World, routes: HostRoutes) -> None:
    world.ip("endpoint", "link", "set", NAME, "down")
    refused = change(routes, TWO4, TWO6, unwanted=(ONE4, ONE6))
    assert refused == [Refused(TWO4, True, errno.ENETDOWN), Refused(TWO6, True, errno.ENETDOWN)]
    many = [(4, int(ipaddress.ip_address("10.78.0.0")) + number, 32) for number in range(64)]
    assert [one.prefix for one in change(routes, *many)] == many


def test_an_interface_that_is_not_there_is_said(world: World) -> None:
    with world.inside("endpoint"), pytest.raises(OSError, match="no interface"):
        HostRoutes("up7")
