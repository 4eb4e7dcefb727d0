# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whose tunnels a run takes that changes their protocol, and whom it leaves out."""

from __future__ import annotations

from typing import Any

from ansible_collections.nrs.network_routing.plugins.filter.interruption import interruption

CHANGE = {"__common_change": {"protocols": [1, 2]}}
SAME = {"__common_change": {"protocols": [2, 2]}}
GROUPS = {
    "load_balancers": ["lb"],
    "routing_servers": ["router_1", "router_2", "both"],
    "network_access_endpoints": ["endpoint_1", "endpoint_2", "both"],
}
HOSTS = ["lb", "router_1", "router_2", "both", "endpoint_1", "endpoint_2"]


def of(hostvars: dict[str, dict[str, Any]], hosts: list[str], **elsewhere: str) -> dict[str, Any]:
    everybody = {host: hostvars.get(host, {}) for host in HOSTS}
    return interruption(everybody, GROUPS, hosts, elsewhere)


def test_who_changes_is_counted_by_what_they_are() -> None:
    assert of({"router_1": CHANGE, "router_2": SAME, "both": CHANGE}, HOSTS) == {
        "before": [1],
        "after": 2,
        "routers": ["router_1", "both"],
        "endpoints": ["both"],
        "left_out": [],
        "unknown": [],
    }


def test_services_and_new_hosts_lose_no_tunnel() -> None:
    assert of({"lb": CHANGE, "router_1": SAME}, HOSTS) == {}
    assert of({}, HOSTS) == {}
    assert interruption({}, {}, [], {}) == {}


def test_who_is_not_in_the_run_is_named_where_it_keeps_another_protocol() -> None:
    told = {"both": "1", "router_2": "2", "endpoint_1": ""}
    found = of({"router_1": CHANGE}, ["lb", "router_1"], **told)
    assert (found["left_out"], found["unknown"]) == (["both"], ["endpoint_2"])
    # What is noted of a host that has failed since is no part of the run.
    found = of({"router_1": CHANGE, "both": CHANGE}, ["router_1"], **told)
    assert (found["routers"], found["left_out"]) == (["router_1"], ["both"])
