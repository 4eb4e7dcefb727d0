# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""tunnel_info beside agents that answer on their control sockets."""

from __future__ import annotations

import json
import socketserver
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.modules import tunnel_info
from ansible_collections.nrs.network_routing.tests.unit.plugins.conftest import Run

STANDBY = {"router_id": "router_1", "up": True, "active": False, "path_mtu": 1492}
USED = {"router_id": "router_2", "up": True, "active": True, "path_mtu": None}
ENDPOINT = {
    "id": "endpoint_1",
    "release": "1.0.0",
    "problems": [{"what": "eth1 has no carrier", "since": 1.5}],
    "tunnels": [STANDBY, USED],
}
ROUTER = {"id": "router_1", "tunnels": [{"endpoint_id": "e1", "up": True, "active": True}]}


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str, Any], None]]:
    """Has an agent answer so to every request."""
    servers: list[socketserver.BaseServer] = []
    with tempfile.TemporaryDirectory(prefix="nrs-", dir="/tmp") as place:
        monkeypatch.setenv("NRS_RUNTIME_DIRECTORY", place)

        def _start(unit: str, status: Any) -> None:
            class _Handler(socketserver.StreamRequestHandler):
                def handle(self) -> None:
                    assert json.loads(self.rfile.readline()) == {"command": "status"}
                    self.wfile.write(json.dumps({"result": status}).encode() + b"\n")

            server = socketserver.UnixStreamServer(str(Path(place) / (unit + ".sock")), _Handler)
            servers.append(server)
            threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

        yield _start
        for server in servers:
            server.shutdown()
            server.server_close()


@pytest.mark.parametrize("check", [False, True])
@pytest.mark.parametrize("options", [{}, {"unit": "network_access_endpoint"}])
def test_an_endpoint(
    run: Run, agent: Callable[[str, Any], None], options: dict[str, str], check: bool
) -> None:
    agent("network_access_endpoint", {**ENDPOINT, "scheduling": {}})
    result = run(tunnel_info, check=check, **options)
    assert result["changed"] is False
    assert (result["unit"], result["active_router"]) == ("network_access_endpoint", "router_2")
    assert {key: result[key] for key in ENDPOINT} == ENDPOINT


def test_one_that_uses_no_router(run: Run, agent: Callable[[str, Any], None]) -> None:
    agent("network_access_endpoint", {**ENDPOINT, "tunnels": [STANDBY]})
    assert run(tunnel_info)["active_router"] is None


def test_a_router_uses_none(run: Run, agent: Callable[[str, Any], None]) -> None:
    agent("routing_server", ROUTER)
    result = run(tunnel_info)
    assert (result["unit"], result["id"], result["active_router"]) == (
        "routing_server",
        "router_1",
        None,
    )
    assert (result["tunnels"], result["problems"]) == (ROUTER["tunnels"], [])


def test_of_two_one_is_to_be_named(run: Run, agent: Callable[[str, Any], None]) -> None:
    agent("routing_server", ROUTER)
    agent("network_access_endpoint", ENDPOINT)
    assert "unit must be named" in run(tunnel_info)["msg"]
    assert run(tunnel_info, unit="routing_server")["id"] == "router_1"


def test_nobody_answers(run: Run, agent: Callable[[str, Any], None]) -> None:
    result = run(tunnel_info)
    assert result["failed"] and "routing_server.sock or " in result["msg"]
    agent("network_access_endpoint", ENDPOINT)
    result = run(tunnel_info, unit="routing_server")
    assert result["failed"] and "network_access_endpoint" not in result["msg"]


@pytest.mark.parametrize("problems", ["eth1", [1], [{"since": 1.0}]])
def test_an_answer_of_another_kind_is_none(
    run: Run, agent: Callable[[str, Any], None], problems: Any
) -> None:
    agent("routing_server", {**ROUTER, "problems": problems})
    assert "no agent answers" in run(tunnel_info)["msg"]
