"""`PUT /servers/{server_id}/state`, and what is kept of it over a restart."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from nrs.balancer.config import LoadBalancerConfig
from nrs.balancer.http.app import create_app
from nrs.balancer.keep.settings import STATES
from nrs.balancer.live import LiveBalancer
from tests.api.callers import shared
from tests.balancer.reports import WALL, fields

TOKEN = "d" * 32
BEARER = {"Authorization": f"Bearer {TOKEN}"}


def started(directory: Path | None) -> FlaskClient:
    """A load balancer, and two routers that report, the first the better one."""
    balancer = LiveBalancer(
        LoadBalancerConfig(), directory, clock=lambda: 0.0, wall_clock=lambda: WALL
    )
    client = create_app(balancer, shared(TOKEN)).test_client()
    for number in (1, 2):
        body = fields(f"router_{number}", number / 10)
        assert client.post("/metrics", json=body, headers=BEARER).status_code == 200
    return client


@pytest.fixture
def client(tmp_path: Path) -> FlaskClient:
    return started(tmp_path)


def put(client: FlaskClient, server_id: str, body: Any, status: int = 200) -> dict[str, Any]:
    answer = client.put(f"/servers/{server_id}/state", json=body, headers=BEARER)
    assert answer.status_code == status, answer.json
    assert isinstance(answer.json, dict)
    return answer.json


def servers(client: FlaskClient) -> dict[str, tuple[str, str]]:
    answer = client.get("/status", headers=BEARER).json
    assert answer is not None
    return {one["server_id"]: (one["state"], one["status"]) for one in answer["servers"]}


def decided(client: FlaskClient) -> str:
    answer = client.get("/decision/endpoint_1", headers=BEARER).json
    assert answer is not None
    return str(answer["optimal_router_id"])


def test_a_state_is_set_and_set_again(client: FlaskClient) -> None:
    assert put(client, "router_1", {"state": "draining"}) == {
        "server_id": "router_1",
        "state": "draining",
        "changed": True,
        "status": "draining",
        "reason": "drained at this load balancer",
    }
    assert put(client, "router_1", {"state": "draining"})["changed"] is False
    assert servers(client) == {
        "router_1": ("draining", "draining"),
        "router_2": ("active", "active"),
    }
    assert decided(client) == "router_2"
    answer = client.get("/health").json
    assert answer is not None
    assert answer["active_servers"] == 1
    assert put(client, "router_1", {"state": "active"})["reason"] is None


def test_what_a_router_reports_stands_beside_what_was_set(client: FlaskClient) -> None:
    body = fields("router_1", draining=True, egress_up=False)
    assert client.post("/metrics", json=body, headers=BEARER).status_code == 200
    answer = put(client, "router_1", {"state": "active"})
    assert (answer["changed"], answer["status"]) == (False, "egress_down")


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"state": "drained"}, "state"),
        ({"state": True}, "state"),
        ({"state": None}, "state"),
        ({}, "state"),
        ({"state": "active", "deadline": 3}, "deadline"),
        ([], None),
    ],
)
def test_an_impossible_state_changes_nothing(
    client: FlaskClient, body: Any, field: str | None
) -> None:
    put(client, "router_1", {"state": "disabled"})
    assert put(client, "router_1", body, 400)["field"] == field
    assert servers(client)["router_1"] == ("disabled", "disabled")


def test_an_unknown_server_and_an_impossible_name(client: FlaskClient, tmp_path: Path) -> None:
    assert put(client, "router_9", {"state": "active"}, 404) == {
        "error": "routing server 'router_9' has not reported",
        "field": "server_id",
    }
    assert put(client, "-a", {"state": "active"}, 400)["field"] == "server_id"
    assert not (tmp_path / STATES).exists()


@pytest.mark.parametrize("authorization", [None, "Bearer " + "e" * 32])
def test_the_token_is_required_from_everywhere(
    client: FlaskClient, authorization: str | None
) -> None:
    headers = {"Authorization": authorization} if authorization else {}
    answer = client.put("/servers/router_1/state", json={"state": "disabled"}, headers=headers)
    assert answer.status_code == 401
    assert servers(client)["router_1"] == ("active", "active")


def test_a_restart_keeps_what_was_set(tmp_path: Path) -> None:
    client = started(tmp_path)
    put(client, "router_1", {"state": "disabled"})
    put(client, "router_2", {"state": "draining"})
    put(client, "router_2", {"state": "active"})
    again = started(tmp_path)
    assert servers(again) == {
        "router_1": ("disabled", "disabled"),
        "router_2": ("active", "active"),
    }


def test_what_cannot_be_stored_is_not_done(client: FlaskClient, tmp_path: Path) -> None:
    (tmp_path / STATES).mkdir()
    answer = put(client, "router_1", {"state": "draining"}, 503)
    assert answer["error"] == "the state could not be stored; nothing was changed"
    assert servers(client)["router_1"] == ("active", "active")


def test_a_damaged_file_is_said_and_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / STATES).write_text("{", encoding="utf-8")
    with caplog.at_level(logging.ERROR):
        client = started(tmp_path)
    assert "are lost" in caplog.text
    assert servers(client)["router_1"] == ("active", "active")


def test_without_a_directory_it_counts_all_the_same() -> None:
    client = started(None)
    put(client, "router_1", {"state": "disabled"})
    assert servers(client)["router_1"][0] == "disabled"
