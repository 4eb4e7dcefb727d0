# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Tunnel addresses that two hosts have."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.filter.repeated_tunnel_addresses import (
    repeated_tunnel_addresses,
)

GROUPS = {
    "routing_servers": ["router_1", "router_2"],
    "network_access_endpoints": ["endpoint_1"],
    "load_balancers": ["lb"],
}


def repeated(router_1: str, router_2: str, endpoint_1: str, version: int = 6) -> list[str]:
    hostvars: dict[str, dict[str, Any]] = {
        "router_1": {f"routing_server_tun_ipv{version}": router_1},
        "router_2": {f"routing_server_tun_ipv{version}": router_2},
        "endpoint_1": {f"network_access_endpoint_tun_ipv{version}": endpoint_1},
        "lb": {f"routing_server_tun_ipv{version}": router_1},
    }
    return repeated_tunnel_addresses(hostvars, GROUPS)


def test_every_host_has_its_own() -> None:
    assert repeated("fd00::1/64", "fd00::2/64", "fd00::3") == []
    assert repeated("10.10.1.1/16", "10.10.1.10/16", "10.10.1.100", version=4) == []


@pytest.mark.parametrize(
    "other", ["fd00::a", "FD00::A/64", " fd00::a ", "fd00:0:0:0::a/128", "fd00:0000::000a"]
)
def test_one_address_in_several_spellings(other: str) -> None:
    assert repeated("fd00::a/64", other, "fd00::3") == ["fd00::a of router_1 and router_2"]


def test_routers_and_endpoints_share_one_network() -> None:
    found = repeated("10.10.1.1/16", "10.10.1.2/16", "10.10.1.1/32", version=4)
    assert found == ["10.10.1.1 of router_1 and endpoint_1"]


def test_three_hosts() -> None:
    found = repeated("fd00::1", "fd00::1", "fd00::1")
    assert found == ["fd00::1 of router_1 and router_2 and endpoint_1"]


def test_hosts_without_an_address_are_no_namesakes() -> None:
    hostvars: dict[str, dict[str, Any]] = {
        "router_1": {},
        "router_2": {"routing_server_tun_ipv4": None},
        "endpoint_1": {"network_access_endpoint_tun_ipv4": ""},
    }
    assert repeated_tunnel_addresses(hostvars, GROUPS) == []


def test_an_inventory_without_the_groups() -> None:
    assert repeated_tunnel_addresses({"lb": {}}, {"load_balancers": ["lb"]}) == []
