from __future__ import annotations

import pytest

from nrs.config.loader import build
from nrs.controller.addresses import Addresses
from nrs.controller.config import IpAllocation
from nrs.controller.errors import PoolExhausted

BOUNDS = build(
    {
        "tun_ipv4_pool": {"base": "10.0.0.250", "start": 4, "end": 7},
        "tun_ipv6_pool": {"base": "fd00::", "start": 1, "end": 2},
    },
    IpAllocation,
    "test",
)


def test_the_pool_is_base_plus_start_to_base_plus_end_across_octets() -> None:
    addresses = Addresses(BOUNDS, [])
    given = []
    for _ in range(4):
        given.append(addresses.next_free("tun_ipv4"))
        addresses.move("tun_ipv4", None, given[-1])
    assert given == ["10.0.0.254", "10.0.0.255", "10.0.1.0", "10.0.1.1"]
    with pytest.raises(PoolExhausted, match="tun_ipv4_pool"):
        addresses.next_free("tun_ipv4")


def test_held_addresses_are_passed_over_and_those_outside_the_pool_ignored() -> None:
    addresses = Addresses(BOUNDS, [("10.0.0.254", "fd00::1"), ("192.0.2.1", "2001:db8::1")])
    assert addresses.next_free("tun_ipv4") == "10.0.0.255"
    assert addresses.next_free("tun_ipv6") == "fd00::2"


def test_an_address_that_was_moved_away_from_is_free_again() -> None:
    addresses = Addresses(BOUNDS, [("10.0.0.254", "fd00::1")])
    addresses.move("tun_ipv6", "fd00::1", "2001:db8::1")
    assert addresses.next_free("tun_ipv6") == "fd00::1"
