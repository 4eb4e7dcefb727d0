# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What an inventory describes."""

from __future__ import annotations

from typing import Any

from ansible_collections.nrs.network_routing.plugins.filter.desired_topology import (
    desired_topology,
)


def test_devices_by_their_ids() -> None:
    hostvars: dict[str, dict[str, Any]] = {
        "r1.example.org": {
            "routing_server_server_id": "router_1",
            "routing_server_tun_ipv4": "10.10.1.1/16",
            "routing_server_tun_ipv6": "fd00:1::1/64",
        },
        "router_2": {},
        "endpoint_1": {
            "network_access_endpoint_tun_ipv4": "10.10.100.1/32",
            "network_access_endpoint_routers": [
                {"router_id": "router_1", "bind_address": "192.0.2.1"},
                {"router_id": "router_2"},
            ],
        },
        "lb": {},
    }
    groups = {
        "routing_servers": ["r1.example.org", "router_2"],
        "network_access_endpoints": ["endpoint_1"],
        "load_balancers": ["lb"],
    }
    assert desired_topology(hostvars, groups) == {
        "routers": {
            "router_1": {"tun_ipv4": "10.10.1.1/16", "tun_ipv6": "fd00:1::1/64"},
            "router_2": {"tun_ipv4": None, "tun_ipv6": None},
        },
        "endpoints": {
            "endpoint_1": {
                "tun_ipv4": "10.10.100.1/32",
                "tun_ipv6": None,
                "routers": ["router_1", "router_2"],
            }
        },
    }


def test_an_inventory_without_the_groups() -> None:
    assert desired_topology({}, {}) == {"routers": {}, "endpoints": {}}
