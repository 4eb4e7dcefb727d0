# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Networks that are none, or not the ones that were meant."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.filter.network_faults import network_faults


@pytest.mark.parametrize(
    "network",
    [
        *["10.0.0.0/8", "0.0.0.0/0", "192.0.2.1", "192.0.2.1/32", "10.0.0.0/255.0.0.0"],
        *["::/0", "fd00::/8", "FD00:0:0::/8", "2001:db8::1", "2001:db8::1/128"],
    ],
)
def test_networks(network: str) -> None:
    assert network_faults({"routes": [network]}) == []


@pytest.mark.parametrize(
    ("network", "meant"),
    [
        ("10.10.1.1/16", "10.10.0.0/16"),
        ("10.10.1.1/255.255.0.0", "10.10.0.0/16"),
        ("10.0.0.0/0", "0.0.0.0/0"),
        ("192.0.2.255/31", "192.0.2.254/31"),
        ("2001:DB8::1/64", "2001:db8::/64"),
        ("::1/0", "::/0"),
    ],
)
def test_host_bits(network: str, meant: str) -> None:
    assert network_faults({"routes": [network]}) == [
        f"routes: {network} has host bits set; {meant} was probably meant"
    ]


@pytest.mark.parametrize("value", ["", "business", "10.0.0.0/33", "10.1/16", "fd00::/x", 80, None])
def test_other_things_are_no_network(value: Any) -> None:
    assert network_faults({"routes": [value]}) == [
        f"routes: {value} is no network such as 10.0.0.0/8 or fd00::/8"
    ]


@pytest.mark.parametrize("value", ["10.0.0.0/8", None, {"10.0.0.0/8": 1}])
def test_one_network_is_no_list(value: Any) -> None:
    assert network_faults({"routes": value}) == ["routes must be a list of networks"]


def test_every_fault_of_every_variable() -> None:
    found = network_faults({"a": ["10.0.0.1/8", "::/0", "x"], "b": [], "c": ["fd00::1/64"]})
    assert [line.partition(":")[0] for line in found] == ["a", "a", "c"]
