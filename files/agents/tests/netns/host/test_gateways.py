"""The next hops of a host's routes as a real kernel tells of them."""

from __future__ import annotations

import ipaddress
import os
import select
import time
from collections.abc import Iterator

import pytest
from testbed import link
from testbed.namespace import Namespace

from nrs.system.gateways import Gateways

DEVICE = "up0"


@pytest.fixture
def host() -> Iterator[Namespace]:
    made = Namespace(f"nrst{os.getpid()}-gateways")
    made.add()
    try:
        made.batch([link.bridge(DEVICE), *link.up(DEVICE, ["192.0.2.9/24", "2001:db8::9/64"])])
        yield made
    finally:
        made.delete()


def shown(gateways: Gateways) -> set[str]:
    return {str(ipaddress.ip_address(packed)) for packed in gateways.addresses}


def follow(gateways: Gateways, wanted: set[str]) -> None:
    """Read until these are known."""
    until = time.monotonic() + 5.0
    while shown(gateways) != wanted:
        assert select.select([gateways], [], [], max(0.0, until - time.monotonic()))[0], (
            shown(gateways),
            wanted,
        )
        gateways.read()


def test_they_are_followed(host: Namespace) -> None:
    route = ("route", "add", "198.51.100.0/24")
    host.ip("route", "add", "default", "via", "192.0.2.1")
    host.ip("-6", "route", "add", "default", "via", "2001:db8::1")
    with host.inside():
        gateways = Gateways()
    gateways.first()
    both = {"192.0.2.1", "2001:db8::1"}
    assert shown(gateways) == both
    host.ip(*route, "nexthop", "via", "192.0.2.2", "nexthop", "via", "192.0.2.3")
    follow(gateways, both | {"192.0.2.2", "192.0.2.3"})
    host.ip("route", "replace", "198.51.100.0/24", "via", "192.0.2.4")
    follow(gateways, both | {"192.0.2.4"})
    host.ip("route", "add", "203.0.113.0/24", "via", "inet6", "2001:db8::5", "dev", DEVICE)
    follow(gateways, both | {"192.0.2.4", "2001:db8::5"})
    host.ip("route", "add", "198.18.0.0/24", "via", "192.0.2.6", "table", "77")
    host.ip("route", "del", "203.0.113.0/24")
    host.ip("route", "del", "198.51.100.0/24")
    host.ip("-6", "route", "del", "default")
    follow(gateways, {"192.0.2.1", "192.0.2.6"})
    gateways.close()


def test_routes_without_a_next_hop_cost_no_list(host: Namespace) -> None:
    with host.inside():
        gateways = Gateways()
    gateways.first()
    host.batch([f"route add 10.77.{n // 256}.{n % 256} dev {DEVICE}" for n in range(50)])
    poller = select.poll()
    poller.register(gateways, select.POLLIN)
    while poller.poll(100):
        assert not gateways.read()
        assert gateways._asked == 0
    assert shown(gateways) == set()
    gateways.close()
