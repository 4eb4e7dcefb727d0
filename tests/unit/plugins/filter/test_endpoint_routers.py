# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""An endpoint's routers with the addresses that the inventory gives them."""

from __future__ import annotations

from typing import Any

from ansible_collections.nrs.network_routing.plugins.filter.endpoint_routers import (
    endpoint_routers,
)

HOSTVARS: dict[str, dict[str, Any]] = {
    "r1.example.org": {
        "routing_server_server_id": "router_1",
        "routing_server_internal_ip": "192.0.2.21",
        "routing_server_external_ip": "2001:db8:2::21",
    },
    "router_2": {"routing_server_external_ip": "2001:db8:2::22"},
    "router_3": {},
    "router_4": {
        "routing_server_bind_ports": [51820, "443"],
        "routing_server_key_modes": ["device", "shared"],
    },
}
SERVERS = list(HOSTVARS)


def completed(**entry: Any) -> dict[str, Any]:
    (router,) = endpoint_routers([entry], HOSTVARS, SERVERS)
    return router


def test_addresses_come_from_the_inventory() -> None:
    own = {"bind_address": "2001:db8:a::31", "gateway": "2001:db8:a::1"}
    assert completed(router_id="router_1", **own) == {
        "router_id": "router_1",
        "holds_psk": False,
        "internal_ip": "192.0.2.21",
        "external_ip": "2001:db8:2::21",
        **own,
    }


def test_one_that_has_no_uplink_of_its_own_or_only_one_address() -> None:
    assert completed(router_id="router_2") == {
        "router_id": "router_2",
        "holds_psk": False,
        "internal_ip": "",
        "external_ip": "2001:db8:2::22",
    }


def test_what_the_entry_gives_goes_first() -> None:
    found = completed(router_id="router_1", external_ip="192.0.2.142", internal_ip="")
    assert (found["external_ip"], found["internal_ip"]) == ("192.0.2.142", "")


def test_a_router_outside_the_inventory() -> None:
    found = completed(router_id="elsewhere", external_ip="203.0.113.9")
    assert (found["external_ip"], found["internal_ip"]) == ("203.0.113.9", "")


def test_a_name_stands_in_place_of_the_addresses_of_the_inventory() -> None:
    for name in ("router_1", "elsewhere"):
        entry = {"router_id": name, "host": "router1.example.net"}
        empty = {"internal_ip": "", "external_ip": ""}
        assert completed(**entry) == {**entry, **empty, "holds_psk": False}


def test_who_shares_the_psk_has_it_or_whose_entry_says_so() -> None:
    assert completed(router_id="router_4")["holds_psk"]
    assert not completed(router_id="router_4", holds_psk=False)["holds_psk"]
    for entry in ({"router_id": "router_1"}, {"router_id": "e", "external_ip": "203.0.113.9"}):
        assert not completed(**entry)["holds_psk"]
        assert completed(**entry, holds_psk=True)["holds_psk"]


def test_ports_come_from_the_inventory_too() -> None:
    assert completed(router_id="router_4")["ports"] == [51820, 443]
    assert completed(router_id="router_4", host="r4.example.net")["ports"] == [51820, 443]
    assert completed(router_id="router_4", ports=[443])["ports"] == [443]
    assert completed(router_id="elsewhere", ports=["4500"])["ports"] == [4500]


def test_in_the_order_of_the_entries_and_without_routing_servers() -> None:
    entries = [{"router_id": name} for name in ("router_3", "router_1", "router_2")]
    for servers in (SERVERS, []):
        found = endpoint_routers(entries, HOSTVARS, servers)
        assert [router["router_id"] for router in found] == ["router_3", "router_1", "router_2"]
    assert endpoint_routers([], HOSTVARS, SERVERS) == []
