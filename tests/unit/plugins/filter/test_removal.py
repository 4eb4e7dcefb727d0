# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which device is removed, before and after it was taken out of the inventory, and which is not."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.filter.removal import removal

ROUTERS, ENDPOINTS = "routing_servers", "network_access_endpoints"


def uses(*routers: str) -> dict[str, Any]:
    """An endpoint's variables."""
    return {"network_access_endpoint_routers": [{"router_id": name} for name in routers]}


HOSTVARS: dict[str, dict[str, Any]] = {
    "router_1": {},
    "router_2": {"routing_server_server_id": "r2"},
    "router_3": {},
    "endpoint_1": uses("router_1", "r2"),
    "endpoint_2": uses("r2", "router_3") | {"network_access_endpoint_endpoint_id": "e2"},
    "endpoint_3": uses("router_3"),
    "lb": {},
}
GROUPS = {
    ROUTERS: ["router_1", "router_2", "router_3"],
    ENDPOINTS: ["endpoint_1", "endpoint_2", "endpoint_3"],
    "load_balancers": ["lb"],
}


@pytest.mark.parametrize("named", ["router_2", "r2"])
def test_a_router_is_named_by_its_host_or_id(named: str) -> None:
    found = removal(HOSTVARS, GROUPS, ROUTERS, named)
    naming = ["endpoint_1", "endpoint_2"]
    assert found == {"device_id": "r2", "host": "router_2", "naming": naming, "faults": []}


@pytest.mark.parametrize("named", ["endpoint_2", "e2"])
def test_so_is_an_endpoint(named: str) -> None:
    found = removal(HOSTVARS, GROUPS, ENDPOINTS, named)
    assert found == {"device_id": "e2", "host": "endpoint_2", "naming": [], "faults": []}


@pytest.mark.parametrize("group", [ROUTERS, ENDPOINTS])
def test_one_that_was_taken_out_of_the_inventory_goes_by_its_id(group: str) -> None:
    found = removal(HOSTVARS, GROUPS, group, "gone_1")
    assert found == {"device_id": "gone_1", "host": "", "naming": [], "faults": []}


def test_an_endpoint_keeps_a_router() -> None:
    (fault,) = removal(HOSTVARS, GROUPS, ROUTERS, "router_3")["faults"]
    assert fault.startswith("endpoint_3 has no other one in network_access_endpoint_routers")


@pytest.mark.parametrize("servers", [["router_1"], []])
def test_the_last_router_stays(servers: list[str]) -> None:
    (fault,) = removal(HOSTVARS, {ROUTERS: servers}, ROUTERS, "router_1")["faults"]
    assert fault.startswith("it is the last routing server")


@pytest.mark.parametrize(
    ("group", "named", "said"),
    [
        (ROUTERS, "", "-e nrs_remove=NAME says which routing server"),
        (ENDPOINTS, "a:b", "-e nrs_remove=NAME says which endpoint"),
        (ROUTERS, "load_balancers", "load_balancers is a group"),
        (ROUTERS, "endpoint_1", "endpoint_1 is no routing server but one of the group network_"),
        (ROUTERS, "e2", "e2 is no routing server but one of the group network_access_endpoints"),
        (ENDPOINTS, "r2", "r2 is no endpoint but one of the group routing_servers"),
        (ENDPOINTS, "lb", "lb is a host without this role"),
    ],
)
def test_nobody_else_is_removed(group: str, named: str, said: str) -> None:
    (fault,) = removal(HOSTVARS, GROUPS, group, named)["faults"]
    assert said in fault
