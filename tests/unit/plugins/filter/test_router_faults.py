# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is wrong with an endpoint's routers."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.filter.endpoint_routers import router_faults

HOSTVARS: dict[str, dict[str, Any]] = {
    "r1.example.org": {
        "routing_server_server_id": "router_1",
        "routing_server_internal_ip": "192.0.2.21",
    },
    "router_2": {
        "routing_server_external_ip": "2001:db8:2::22",
        "routing_server_bind_port": "51821",
    },
    "router_3": {},
    "router_4": {
        "routing_server_external_ip": "192.0.2.24",
        "routing_server_bind_ports": [51820, 443],
    },
}
SERVERS = list(HOSTVARS)
UNKNOWN = (
    "router_id router_9 is no routing server of the inventory"
    " (router_1, router_2, router_3, router_4), and no address is given for it"
)
NO_ADDRESS = "router_3 has neither routing_server_external_ip nor routing_server_internal_ip"
INTERFACES = ["eth0", "eth1"]
OTHER_PORT = "router_2 listens on port 51821, and network_access_endpoint_port is 51820"


@pytest.mark.parametrize(
    ("entry", "faults"),
    [
        ({"router_id": "router_1"}, []),
        ({"router_id": "router_9"}, [UNKNOWN]),
        ({"router_id": "router_9", "external_ip": "203.0.113.9"}, []),
        ({"router_id": "router_9", "internal_ip": "203.0.113.9"}, []),
        ({"router_id": "router_3"}, [NO_ADDRESS]),
        ({"router_id": "router_3", "external_ip": "203.0.113.9"}, []),
        ({"router_id": "router_3", "host": "router3.example.net"}, []),
        ({"router_id": "router_9", "host": "router9.example.net"}, []),
        ({"router_id": "router_2"}, [OTHER_PORT]),
        # Its host is called so, and it is not.
        ({"router_id": "r1.example.org", "external_ip": "192.0.2.21"}, []),
    ],
)
def test_one_entry(entry: dict[str, str], faults: list[str]) -> None:
    assert router_faults([entry], HOSTVARS, SERVERS, 51820, INTERFACES) == faults


def test_every_fault_in_the_order_of_the_entries() -> None:
    entries = [{"router_id": f"router_{number}"} for number in (9, 2, 1, 3)]
    assert router_faults(entries, HOSTVARS, SERVERS, "51820", INTERFACES) == [
        UNKNOWN,
        OTHER_PORT,
        NO_ADDRESS,
    ]


def test_two_faults_of_one_entry() -> None:
    assert router_faults([{"router_id": "router_3"}], HOSTVARS, SERVERS, 4500, INTERFACES) == [
        NO_ADDRESS,
        "router_3 listens on port 51820, and network_access_endpoint_port is 4500",
    ]


def test_an_inventory_without_routing_servers() -> None:
    (fault,) = router_faults([{"router_id": "router_1"}], {}, [], 51820, [])
    assert fault.startswith("router_id router_1 is no routing server of the inventory ()")
    assert router_faults([], {}, [], 51820, []) == []


def test_ports_are_those_of_the_router() -> None:
    def faults(router_id: str, **entry: Any) -> list[str]:
        entries = [{"router_id": router_id, **entry}]
        return router_faults(entries, HOSTVARS, SERVERS, 4500, INTERFACES)

    assert faults("router_4") == faults("router_4", ports=["443"]) == []
    assert faults("router_2", ports=[51821]) == []
    assert faults("router_4", ports=[443, 53, 80]) == [
        f"router_4 listens on port 51820, 443, and ports of router_id router_4 has {port}"
        for port in (53, 80)
    ]
    assert faults("router_1", ports=[443]) == [
        "r1.example.org listens on port 51820, and ports of router_id router_1 has 443"
    ]
    assert faults("router_9", host="r9.example.net", ports=[53]) == []


@pytest.mark.parametrize("key", ["bind_address", "external_ip", "internal_ip"])
def test_a_zone_is_an_interface_of_the_endpoint(key: str) -> None:
    def faults(address: str) -> list[str]:
        entry = {"router_id": "router_1", key: address}
        return router_faults([entry], HOSTVARS, SERVERS, 51820, INTERFACES)

    assert faults("fe80::1%eth1") == faults("fe80::1") == []
    assert faults("fe80::1%eth7") == [
        f"router_id router_1 has {key} fe80::1%eth7, and this host has no interface eth7"
        " (eth0, eth1)"
    ]
