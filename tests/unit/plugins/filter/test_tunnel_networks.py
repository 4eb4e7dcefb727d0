# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Where tunnel addresses are, as the inventory has it."""

from __future__ import annotations

from ansible_collections.nrs.network_routing.plugins.filter.tunnel_networks import (
    addresses_inside,
    tunnel_networks,
)

GROUPS = {"routing_servers": ["router_1"], "network_access_endpoints": ["endpoint_1"]}


def networks(router: dict[str, object], endpoint: dict[str, object]) -> list[str]:
    return tunnel_networks({"router_1": router, "endpoint_1": endpoint}, GROUPS)


def test_what_routers_take_by_themselves() -> None:
    router: dict[str, object] = {"routing_server_tun_ipv4": "10.10.1.1/16"}
    endpoint: dict[str, object] = {"network_access_endpoint_tun_ipv4": "10.10.100.1"}
    assert networks(router, endpoint) == ["10.10.0.0/16", "fd00:10::/32", "fd00:100::/32"]


def test_what_the_inventory_says_and_endpoints_elsewhere() -> None:
    router: dict[str, object] = {
        "routing_server_endpoint_networks": ["10.20.0.0/16"],
        "routing_server_tun_ipv4": "10.30.0.1/24",
        "routing_server_tun_ipv6": "fd00:30::1",
    }
    endpoint: dict[str, object] = {
        "network_access_endpoint_tun_ipv4": "192.0.2.9/24",
        "network_access_endpoint_tun_ipv6": "nothing",
    }
    expected = ["10.20.0.0/16", "10.30.0.0/24", "192.0.2.9/32", "fd00:30::1/128"]
    assert networks(router, endpoint) == expected


def test_without_hosts() -> None:
    assert tunnel_networks({}, {}) == []


def test_addresses_that_lie_in_networks() -> None:
    addresses = ["10.10.0.7", "lb", "192.0.2.7", "fd00:10::7"]
    assert addresses_inside(addresses, ["10.10.0.0/16", "fd00:10::/32"]) == [
        "10.10.0.7",
        "fd00:10::7",
    ]
    assert addresses_inside(addresses, []) == []
