# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The modules that read: which request each makes, and what it makes of the answer."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.modules import (
    load_balancer_info,
    network_device_info,
    network_topology_info,
    routing_decision_info,
)
from ansible_collections.nrs.network_routing.tests.unit.plugins.api_server import Answer, ApiServer
from ansible_collections.nrs.network_routing.tests.unit.plugins.conftest import Run

SERVERS = {"total_servers": 1, "servers": [{"server_id": "router_1", "status": "active"}]}
TOPOLOGY = {"timestamp": 1.5, "devices": [], "tunnels": [{"endpoint_id": "endpoint_1"}]}
DEVICE = {"device_id": "endpoint_1", "status": "online", "tunnels": []}
EVERY_MODULE = [
    (load_balancer_info, "/status", {}),
    (routing_decision_info, "/decision/e1", {"endpoint_id": "e1"}),
    (network_topology_info, "/topology", {}),
    (network_device_info, "/devices", {}),
    (network_device_info, "/device/e1", {"device_id": "e1"}),
]


@pytest.mark.parametrize("check", [False, True])
def test_load_balancer(run: Run, api: ApiServer, check: bool) -> None:
    api.on("GET", "/status", Answer(body=SERVERS))
    result = run(load_balancer_info, url=api.url, check=check)
    assert result["load_balancer"] == SERVERS
    assert result["changed"] is False


def test_decision_among_candidates(run: Run, api: ApiServer) -> None:
    api.on("GET", "/decision/endpoint_1", Answer(body={"optimal_router_id": "router_2"}))
    result = run(
        routing_decision_info,
        url=api.url,
        endpoint_id="endpoint_1",
        candidates=["router_2", "router_3"],
    )
    assert result["decision"] == {"optimal_router_id": "router_2"}
    assert api.asked[0].query == {"candidates": "router_2,router_3"}


def test_decision_among_all(run: Run, api: ApiServer) -> None:
    api.on("GET", "/decision/endpoint_1", Answer(body={"optimal_router_id": "router_2"}))
    run(routing_decision_info, url=api.url, endpoint_id="endpoint_1")
    assert api.asked[0].query == {}


def test_no_usable_router(run: Run, api: ApiServer) -> None:
    api.on("GET", "/decision/e", Answer(503, {"error": "no router has reported yet"}))
    result = run(routing_decision_info, url=api.url, endpoint_id="e")
    assert result["failed"] and result["status"] == 503
    assert "no router has reported yet" in result["msg"]


def test_an_endpoint_name_stays_one_path_segment(run: Run, api: ApiServer) -> None:
    api.on("GET", "/decision/a%2Fb%3Fc", Answer(body={"optimal_router_id": "r"}))
    assert "failed" not in run(routing_decision_info, url=api.url, endpoint_id="a/b?c")


def test_topology(run: Run, api: ApiServer) -> None:
    api.on("GET", "/topology", Answer(body=TOPOLOGY))
    assert run(network_topology_info, url=api.url)["topology"] == TOPOLOGY


def test_all_devices(run: Run, api: ApiServer) -> None:
    api.on("GET", "/devices", Answer(body={"devices": [DEVICE]}))
    assert run(network_device_info, url=api.url)["devices"] == [DEVICE]


def test_one_device(run: Run, api: ApiServer) -> None:
    api.on("GET", "/device/endpoint_1", Answer(body=DEVICE))
    result = run(network_device_info, url=api.url, device_id="endpoint_1")
    assert result["devices"] == [DEVICE]


def test_a_device_that_is_not_registered(run: Run, api: ApiServer) -> None:
    api.on("GET", "/device/new", Answer(404, {"error": "unknown device new"}))
    assert run(network_device_info, url=api.url, device_id="new")["devices"] == []


@pytest.mark.parametrize(("module", "path", "options"), EVERY_MODULE)
def test_refused(run: Run, api: ApiServer, module: Any, path: str, options: dict[str, str]) -> None:
    api.on("GET", path, Answer(401, {"error": "the bearer token is not valid"}))
    result = run(module, url=api.url, token="x" * 32, **options)
    assert result["failed"] and result["status"] == 401
    assert "the bearer token is not valid" in result["msg"]


@pytest.mark.parametrize(("module", "path", "options"), EVERY_MODULE)
@pytest.mark.parametrize("body", [{}, {"servers": 1, "devices": {}, "tunnels": None}])
def test_an_answer_of_another_shape(
    run: Run, api: ApiServer, module: Any, path: str, options: dict[str, str], body: dict[str, Any]
) -> None:
    api.on("GET", path, Answer(body=body))
    result = run(module, url=api.url, **options)
    assert result["failed"] and "no usable" in result["msg"]
