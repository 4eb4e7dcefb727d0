from __future__ import annotations

import ipaddress
import json
from typing import Any

import pytest

from nrs.endpoint.uplink_address import UplinkAddresses
from nrs.system.addresses import Addresses
from nrs.system.link_changes import AddressGone, AddressIs, Event, LinkGone, LinkIs, Told

FILE = ipaddress.ip_address("192.0.2.2")
NEXT = ipaddress.ip_address("192.0.2.7")
THIRD = ipaddress.ip_address("198.51.100.7")
UP0, UP1 = LinkIs(2, "up0", True, True), LinkIs(3, "up1", True, True)


def has(address: Any, index: int = 2, *, usable: bool = True) -> Event:
    return AddressIs(index, address.packed, 24 if address.version == 4 else 64, usable)


def lost(address: Any, index: int = 2) -> Event:
    return AddressGone(index, address.packed, 24 if address.version == 4 else 64)


class Host:
    """Whose interfaces change, and what tunnels leave from then."""

    def __init__(self, *events: Event, kept: object = None) -> None:
        self.addresses = Addresses()
        self.uplinks = UplinkAddresses(kept)
        self.told: list[str] = []
        self.after(UP0, UP1, *events, Told())

    def after(self, *events: Event) -> str:
        self.addresses.take(events)
        self.told = self.uplinks.follow([FILE], self.addresses)
        return str(self.uplinks.present[FILE])


def test_what_comes_to_the_interface_instead_is_used_until_the_address_is_back() -> None:
    host = Host(has(FILE))
    assert host.after(lost(FILE)) == str(FILE)
    assert host.after(has(NEXT)) == str(NEXT)
    assert host.told == [f"up0 has {NEXT} in place of {FILE}: tunnels leave from there"]
    assert host.after(has(THIRD)) == str(NEXT)
    assert host.told == []
    assert host.after(lost(NEXT)) == str(THIRD)
    assert host.after(lost(THIRD)) == str(THIRD)
    assert host.after(has(FILE, 3)) == str(FILE)
    assert host.told == [f"up1 has {FILE} again: tunnels leave from there"]


def test_what_came_while_the_address_was_there_is_a_successor() -> None:
    host = Host(has(FILE))
    assert host.after(has(NEXT)) == str(FILE)
    assert host.after(lost(FILE)) == str(NEXT)


@pytest.mark.parametrize(
    "other",
    [
        [has(NEXT, 3)],
        [has(NEXT, usable=False)],
        [has(ipaddress.ip_address("2001:db8::7"))],
        [LinkGone(2)],
    ],
)
def test_what_is_no_successor(other: list[Event]) -> None:
    host = Host(has(FILE))
    assert host.after(lost(FILE), *other) == str(FILE)
    assert host.told == []


def test_an_address_that_moves_between_hosts_leaves_nothing_behind() -> None:
    host = Host(has(NEXT))
    assert host.after(has(FILE)) == str(FILE)
    assert host.after(lost(FILE)) == str(FILE)


def test_an_interface_that_is_made_anew_is_the_same_uplink() -> None:
    host = Host(has(FILE))
    assert host.after(LinkGone(2), LinkIs(9, "up0", True, True), has(NEXT, 9)) == str(NEXT)


def test_an_address_that_was_never_there_has_no_successor() -> None:
    assert Host(has(NEXT)).after(has(THIRD)) == str(FILE)


def test_the_next_process_goes_on_with_it() -> None:
    before = Host(has(FILE), has(THIRD))
    before.after(lost(FILE), has(NEXT))
    kept = json.loads(json.dumps(before.uplinks.kept))
    assert Host(has(THIRD), has(NEXT), kept=kept).after() == str(NEXT)


def test_a_process_that_begins_beside_the_successor_knows_it_as_one() -> None:
    """With another IPv6 prefix both are there for hours."""
    before = Host(has(FILE))
    kept = json.loads(json.dumps(before.uplinks.kept))
    assert Host(has(FILE), has(NEXT), kept=kept).after(lost(FILE)) == str(NEXT)


@pytest.mark.parametrize("kept", [7, ["x"], {"x": {}}, {str(FILE): 1}, {str(FILE): {"beside": 3}}])
def test_notes_of_another_kind_are_left_out(kept: object) -> None:
    assert Host(has(NEXT), kept=kept).after() == str(FILE)


@pytest.mark.parametrize("text", ["::", "0.0.0.0", "127.0.0.1", "fe80::1%up0"])
def test_addresses_of_no_uplink_are_not_followed(text: str) -> None:
    uplinks = UplinkAddresses()
    assert uplinks.follow([ipaddress.ip_address(text)], Addresses()) == []
    assert uplinks.present == {}
