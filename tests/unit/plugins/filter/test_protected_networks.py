# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where no tunnel leads, as the inventory has it."""

from __future__ import annotations

from ansible_collections.nrs.network_routing.plugins.filter.protected_networks import (
    protected_networks,
)

NAMES = {"lb.example.net": ["192.0.2.10", "2001:db8::10"], "me": ["127.0.0.1", "fe80::7%eth0"]}


def resolve(name: str) -> list[str]:
    return NAMES.get(name, [])


def test_addresses_and_networks_are_one_list() -> None:
    found = protected_networks(
        ["203.0.113.7", "2001:DB8::7", "198.51.100.9", "203.0.113.7"],
        ["198.51.100.0/24", "2001:db8:f::/48"],
        resolve,
    )
    assert found == ["198.51.100.0/24", "203.0.113.7/32", "2001:db8::7/128", "2001:db8:f::/48"]


def test_names_are_looked_up_and_what_is_local_is_left_out() -> None:
    found = protected_networks(
        ["lb.example.net", "me", "nowhere", "::1", "fe80::1%eth0"], [], resolve
    )
    assert found == ["192.0.2.10/32", "2001:db8::10/128"]


def test_what_is_no_network_is_left_to_be_refused() -> None:
    assert protected_networks([], ["office", "192.0.2.7/24"], resolve) == ["office", "192.0.2.7/24"]
