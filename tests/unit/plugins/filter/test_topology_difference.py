# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Desired against actual: each way to differ gives its one line."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.nrs.network_routing.plugins.filter.topology_difference import (
    balancer_difference,
    decision_difference,
    topology_difference,
)

DESIRED = {
    "routers": {
        "router_1": {"tun_ipv4": "10.10.1.1", "tun_ipv6": "fd00:1::1"},
        "router_2": {"tun_ipv4": "10.10.2.1", "tun_ipv6": "fd00:2::1"},
        "router_3": {},
    },
    "endpoints": {
        "endpoint_1": {"tun_ipv4": "10.10.100.1/24", "routers": ["router_1", "router_2"]},
    },
}
TOPOLOGY = {
    "timestamp": 1000.0,
    "devices": [
        {
            "device_id": name,
            "device_type": kind,
            "status": "online",
            "last_seen": 990.0,
            "tun_ipv4": ipv4,
            "tun_ipv6": ipv6,
        }
        for name, kind, ipv4, ipv6 in (
            ("router_1", "routing_server", "10.10.1.1", "fd00:1:0::1"),
            ("router_2", "routing_server", "10.10.2.1", "fd00:2::1"),
            ("router_3", "routing_server", "10.10.3.1", "fd00:3::1"),
            ("endpoint_1", "network_access_endpoint", "10.10.100.1", "fd00:100::1"),
        )
    ],
    "tunnels": [
        {"endpoint_id": "endpoint_1", "router_id": "router_1", "up": True, "active": True},
        {"endpoint_id": "endpoint_1", "router_id": "router_2", "up": True, "active": False},
    ],
}
Change = Callable[[Any], object]


def _changed(change: Change) -> Any:
    topology = copy.deepcopy(TOPOLOGY)
    change(topology)
    return topology


def test_nothing_differs() -> None:
    assert topology_difference(TOPOLOGY, DESIRED) == []


@pytest.mark.parametrize(
    ("change", "line"),
    [
        (
            lambda t: t["devices"].pop(2),
            "router_3: not registered with the controller (desired online)",
        ),
        (
            lambda t: t["devices"][1].update(status="offline", last_seen=957.4),
            "router_2: offline, last seen 43 s ago (desired online)",
        ),
        (
            lambda t: t["devices"][1].update(status="offline", last_seen=None),
            "router_2: offline (desired online)",
        ),
        (
            lambda t: t["devices"][0].update(device_type="network_access_endpoint"),
            "router_1: registered as network_access_endpoint (desired routing_server)",
        ),
        (
            lambda t: t["devices"][3].update(tun_ipv4="10.10.100.9"),
            "endpoint_1: IPv4 tunnel address 10.10.100.9 (desired 10.10.100.1/24)",
        ),
        (
            lambda t: t["devices"][0].update(tun_ipv6=None),
            "router_1: IPv6 tunnel address missing (desired fd00:1::1)",
        ),
        (
            lambda t: t["devices"].append({**t["devices"][0], "device_id": "router_9"}),
            "router_9: registered with the controller (not in the inventory)",
        ),
        (
            lambda t: t["tunnels"].pop(1),
            "endpoint_1 -> router_2: no tunnel reported (desired up)",
        ),
        (
            lambda t: t["tunnels"][1].update(up=False),
            "endpoint_1 -> router_2: tunnel down (desired up)",
        ),
        (
            lambda t: t["tunnels"].append({**t["tunnels"][1], "router_id": "router_3"}),
            "endpoint_1 -> router_3: tunnel up (not in the inventory)",
        ),
        (
            lambda t: t["tunnels"][0].update(active=False),
            "endpoint_1: active tunnels: none (desired exactly one)",
        ),
        (
            lambda t: t["tunnels"][1].update(active=True),
            "endpoint_1: active tunnels: router_1, router_2 (desired exactly one)",
        ),
    ],
)
def test_each_difference_has_its_line(change: Change, line: str) -> None:
    assert topology_difference(_changed(change), DESIRED) == [line]


def test_a_tunnel_that_went_with_its_router_is_not_a_difference() -> None:
    old = {"endpoint_id": "endpoint_1", "router_id": "router_9", "up": False, "active": False}
    assert topology_difference(_changed(lambda t: t["tunnels"].append(old)), DESIRED) == []


def test_an_empty_network_differs_in_everything() -> None:
    lines = topology_difference({"devices": [], "tunnels": []}, DESIRED)
    assert len(lines) == 4 + 2 + 1


@pytest.mark.parametrize("topology", [{}, {"devices": None, "tunnels": []}, None, "text"])
def test_what_is_no_topology_is_refused(topology: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="no list of devices"):
        topology_difference(topology, DESIRED)


@pytest.mark.parametrize("desired", [{}, {"routers": {}}, None])
def test_what_is_no_desired_state_is_refused(desired: Any) -> None:
    with pytest.raises(AnsibleFilterError, match="desired needs"):
        topology_difference(TOPOLOGY, desired)


def _status(**states: str) -> dict[str, Any]:
    return {"servers": [{"server_id": k, "status": v} for k, v in states.items()]}


@pytest.mark.parametrize(
    ("status", "lines"),
    [
        (_status(router_1="active", router_2="active", router_3="active"), []),
        (
            _status(router_1="active", router_3="stale"),
            [
                "router_2: unknown at load balancer lb (desired active)",
                "router_3: stale at load balancer lb (desired active)",
            ],
        ),
        (
            _status(router_1="active", router_2="active", router_3="active", other="active"),
            ["other: active at load balancer lb (not in the inventory)"],
        ),
        (_status(router_1="active", router_2="active", router_3="active", gone="stale"), []),
    ],
)
def test_load_balancer(status: dict[str, Any], lines: list[str]) -> None:
    assert balancer_difference(status, DESIRED, "lb") == lines


@pytest.mark.parametrize(
    ("answer", "lines"),
    [
        ({"decision": {"optimal_router_id": "router_2"}}, []),
        (
            {"decision": {"optimal_router_id": "router_3"}},
            ["endpoint_1: load balancer lb decides for router_3 (desired router_1 or router_2)"],
        ),
        (
            {"failed": True, "msg": "answered 503: none usable"},
            [
                "endpoint_1: load balancer lb decides for no router "
                "(desired router_1 or router_2): answered 503: none usable"
            ],
        ),
    ],
)
def test_decision(answer: dict[str, Any], lines: list[str]) -> None:
    item = {"key": "endpoint_1", "value": {"routers": ["router_1", "router_2"]}}
    good = {"item": item, "decision": {"optimal_router_id": "router_1"}}
    assert decision_difference([good, {"item": item, **answer}], "lb") == lines
