# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From where a firewall lets the APIs be reached."""

from __future__ import annotations

import pytest
from ansible_collections.nrs.network_routing.plugins.filter.api_sources import api_sources


def test_addresses_and_networks_sorted_and_once() -> None:
    addresses = ["2001:db8::2", "192.0.2.9", "192.0.2.10", "192.0.2.9"]
    assert api_sources(addresses, ["192.0.2.10", "198.51.100.0/24"]) == [
        "192.0.2.10",
        "192.0.2.9",
        "198.51.100.0/24",
        "2001:db8::2",
    ]


@pytest.mark.parametrize("name", ["lb", "lb.example.org", "dead.beef", "fe80::1%eth0", ""])
def test_a_firewall_knows_no_names(name: str) -> None:
    assert api_sources([name, "192.0.2.1"]) == ["192.0.2.1"]


def test_one_address_in_several_spellings() -> None:
    assert api_sources(["2001:DB8::A", "2001:db8:0::a"], ["2001:db8::a/128"]) == ["2001:db8::a"]
    assert api_sources(["192.0.2.1"], ["192.0.2.1/32"]) == ["192.0.2.1"]


def test_networks_as_ufw_prints_them() -> None:
    assert api_sources([], ["10.1.2.3/8", "FD00::1/8"]) == ["10.0.0.0/8", "fd00::/8"]


def test_what_the_firewall_has_to_refuse_reaches_it() -> None:
    assert api_sources([], ["10.0.0.0/33"]) == ["10.0.0.0/33"]


def test_nobody() -> None:
    assert api_sources([], []) == []
