from __future__ import annotations

import ipaddress

import pytest

from nrs.system.addresses import Addresses
from nrs.system.link_changes import AddressGone, AddressIs, Anew, Event, LinkGone, LinkIs, Told

OWN4, OWN6 = ipaddress.ip_address("198.51.100.1"), ipaddress.ip_address("2001:db8::1")
LO, UP0, UP1 = (LinkIs(i, name, True, True) for i, name in ((1, "lo"), (7, "up0"), (8, "up1")))
HAS4 = AddressIs(7, OWN4.packed, 24, True)
START = [LO, UP0, UP1, HAS4, Told()]


@pytest.mark.parametrize(
    ("events", "name"),
    [
        ([], None),
        (START, "up0"),
        ([UP1, UP0, AddressIs(8, OWN4.packed, 24, True), HAS4, Told()], "up0"),
        ([UP0, AddressIs(7, OWN4.packed, 24, False), Told()], "up0"),
        ([LinkIs(7, "up0", False, False), HAS4, Told()], "up0"),
        ([LO, AddressIs(1, OWN4.packed, 24, True), Told()], None),
        ([UP0, AddressIs(7, OWN6.packed, 24, True), Told()], None),
        ([*START, AddressGone(7, OWN4.packed, 24)], None),
        ([*START, AddressGone(7, OWN6.packed, 24), AddressGone(9, OWN4.packed, 24)], "up0"),
        ([*START, AddressGone(7, OWN4.packed, 24), AddressIs(8, OWN4.packed, 24, True)], "up1"),
        ([*START, AddressIs(7, OWN4.packed, 25, True), AddressGone(7, OWN4.packed, 24)], "up0"),
        ([*START, LinkIs(7, "wan", True, True)], "wan"),
        ([*START, LinkGone(7)], None),
        ([*START, LinkGone(7), UP0], None),
        (
            [
                *START,
                LinkGone(7),
                LinkIs(9, "up0", True, True),
                AddressIs(9, OWN4.packed, 24, True),
            ],
            "up0",
        ),
        ([HAS4, Told()], None),
        ([*START, Anew(), UP0, UP1], "up0"),
        ([*START, Anew(), UP0, UP1, Told()], None),
        ([*START, Anew(), UP1, AddressIs(8, OWN4.packed, 24, True)], "up0"),
        ([*START, Anew(), UP1, AddressIs(8, OWN4.packed, 24, True), Told()], "up1"),
    ],
)
def test_where_an_address_is(events: list[Event], name: str | None) -> None:
    addresses = Addresses()
    addresses.take(events)
    assert addresses.interface_of(OWN4) == name


def test_addresses_of_either_family_are_followed() -> None:
    addresses = Addresses()
    addresses.take([*START, AddressIs(8, OWN6.packed, 24, True)])
    assert (addresses.interface_of(OWN4), addresses.interface_of(OWN6)) == ("up0", "up1")


def test_the_networks_that_interfaces_are_connected_to() -> None:
    addresses = Addresses()
    other_end = ipaddress.ip_address("203.0.113.9").packed
    addresses.take(
        [
            *START,
            AddressIs(8, OWN6.packed, 64, False),
            AddressIs(8, OWN4.packed, 32, True, other_end),
            AddressIs(9, OWN4.packed, 8, True),
        ]
    )
    shown = {(name, str(own), str(network)) for name, own, network in addresses.networks()}
    assert shown == {
        ("up0", "198.51.100.1", "198.51.100.0/24"),
        ("up1", "2001:db8::1", "2001:db8::/64"),
        ("up1", "198.51.100.1", "203.0.113.9/32"),
    }
    addresses.take([AddressGone(8, OWN4.packed, 32), LinkGone(7)])
    assert [name for name, _, _ in addresses.networks()] == ["up1"]


@pytest.mark.parametrize(
    ("scope", "name"), [("", "up0"), ("%up1", "up1"), ("%8", "up1"), ("%up2", None)]
)
def test_a_link_local_address_may_be_at_several_interfaces(scope: str, name: str | None) -> None:
    packed = ipaddress.ip_address("fe80::1").packed
    addresses = Addresses()
    addresses.take([UP0, UP1, *(AddressIs(i, packed, 64, True) for i in (7, 8)), Told()])
    assert addresses.interface_of(ipaddress.ip_address(f"fe80::1{scope}")) == name
