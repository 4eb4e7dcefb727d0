# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Whom the endpoints of a router have beside it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.filter.router_peers import (
    router_peers,
    stranded_endpoints,
)


def named(*routers: str) -> dict[str, Any]:
    return {"network_access_endpoint_routers": [{"router_id": router} for router in routers]}


HOSTVARS = {
    "router_1": {},
    "router_2": {"routing_server_server_id": "second"},
    "router_3": {},
    "a": {**named("router_1", "second"), "network_access_endpoint_endpoint_id": "endpoint_a"},
    "b": named("router_1"),
    "c": named("second", "router_3"),
    "d": named("router_1", "elsewhere"),
}
GROUPS = {
    "routing_servers": ["router_1", "router_2", "router_3"],
    "network_access_endpoints": ["a", "b", "c", "d"],
}


def test_peers_are_the_hosts_of_the_routers_that_endpoints_name() -> None:
    up = ["endpoint_a", "b", "d", "stranger"]
    expected = {"endpoint_a": ["router_2"], "b": [], "d": []}
    assert router_peers(HOSTVARS, GROUPS, "router_1", up) == expected


def said(endpoint: str = "a", **more: Any) -> str:
    status = {"draining": False, "egress_up": True, "tunnels": [{"endpoint_id": endpoint}]}
    status["tunnels"] = [{"endpoint_id": endpoint, "up": True}]
    return json.dumps(status | more)


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ("", "does not answer"),
        ("no agent", "does not answer"),
        ("[]", "does not answer"),
        (said(draining=True), "is drained"),
        (said(egress_up=False), "has a dead egress"),
        (said("another"), "has no tunnel with it"),
    ],
)
def test_an_endpoint_needs_another_router_that_serves_it(answer: str, why: str) -> None:
    assert stranded_endpoints({"a": ["router_2"]}, {"router_2": answer}) == [f"a: router_2 {why}"]
    both = {"a": ["router_2", "router_3"]}
    assert stranded_endpoints(both, {"router_2": answer, "router_3": said()}) == []


def test_one_that_has_a_single_router_is_not_stranded_by_others() -> None:
    assert stranded_endpoints({"a": []}, {}) == []
    assert stranded_endpoints({"a": ["router_2"]}, {"router_2": said()}) == []
