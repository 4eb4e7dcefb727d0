# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Hosts that would appear under one identifier."""

from __future__ import annotations

from typing import Any

from ansible_collections.nrs.network_routing.plugins.filter.namesakes import namesakes

ID = "routing_server_server_id"
HOSTVARS: dict[str, dict[str, Any]] = {
    "router_1": {},
    "router_2": {ID: "router_1"},
    "router_3": {ID: "r3"},
    "router_4": {ID: 7},
}
HOSTS = list(HOSTVARS)


def test_a_hosts_name_is_its_identity_where_it_has_no_other() -> None:
    assert namesakes(HOSTVARS, HOSTS, ID, "router_1", "router_1") == ["router_2"]
    assert namesakes(HOSTVARS, HOSTS, ID, "router_2", "router_1") == ["router_1"]


def test_nobody_else_has_it() -> None:
    assert namesakes(HOSTVARS, HOSTS, ID, "router_3", "r3") == []
    assert namesakes(HOSTVARS, HOSTS, ID, "other", "router_3") == []


def test_a_number_is_the_same_as_its_digits() -> None:
    assert namesakes(HOSTVARS, HOSTS, ID, "other", "7") == ["router_4"]


def test_a_group_without_hosts() -> None:
    assert namesakes(HOSTVARS, [], ID, "router_1", "router_1") == []
