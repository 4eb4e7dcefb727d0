"""What each role may at each operation of both services, asked over their real routes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from nrs.balancer.config import LoadBalancerConfig
from nrs.balancer.http.app import create_app as balancer_app
from nrs.balancer.live import LiveBalancer
from nrs.config.loader import build
from nrs.controller.config import NetworkControllerConfig
from nrs.controller.database import Database
from nrs.controller.events import Events
from nrs.controller.http.app import create_app as controller_app
from nrs.controller.registry import Registry
from nrs.identity.credential import Role
from tests.api.callers import NOW, as_, signed

FAR = {"REMOTE_ADDR": "192.0.2.7"}
DEVICES = (Role.ROUTER, Role.ENDPOINT)
PEOPLE = (Role.OPERATOR, Role.MONITOR)


def report(router: str) -> dict[str, Any]:
    return {
        "server_id": router,
        "server_name": router,
        "timestamp": NOW,
        "cpu_percent": 1.0,
        "memory_percent": 1.0,
        "bandwidth_mbps": 1.0,
        "active_tunnels": 1,
        "total_rx_packets": 1,
        "total_tx_packets": 1,
    }


def registration(device: str, kind: str = "network_access_endpoint", **more: str) -> dict[str, Any]:
    return {"device_id": device, "device_type": kind, "name": device, **more}


BALANCER: list[tuple[str, Any, tuple[Role, ...]]] = [
    ("POST /metrics", report("own"), (Role.OPERATOR, Role.ROUTER)),
    ("GET /decision/own", None, (*PEOPLE, Role.ENDPOINT)),
    ("GET /decisions", None, PEOPLE),
    ("GET /explain/own", None, PEOPLE),
    ("GET /status", None, PEOPLE),
    ("GET /metrics", None, PEOPLE),
    ("GET /algorithm", None, PEOPLE),
    ("PUT /algorithm", {}, (Role.OPERATOR,)),
    ("PUT /servers/own/state", {"state": "draining"}, (Role.OPERATOR,)),
    ("GET /revocations", None, (*PEOPLE, Role.SERVICE, *DEVICES)),
    ("PUT /revocations", {"revocations": "x"}, (Role.OPERATOR,)),
    ("GET /openapi.json", None, PEOPLE),
]
CONTROLLER: list[tuple[str, Any, tuple[Role, ...]]] = [
    ("POST /register", registration("own"), (Role.OPERATOR, Role.ENDPOINT)),
    ("POST /register", registration("own", "routing_server"), (Role.OPERATOR, Role.ROUTER)),
    ("POST /status", {"device_id": "own", "timestamp": 1.0}, (Role.OPERATOR, *DEVICES)),
    ("POST /config", {"device_id": "own"}, (Role.OPERATOR, *DEVICES)),
    ("POST /events", {"device_id": "own", "events": []}, (Role.OPERATOR, Role.ENDPOINT)),
    ("GET /device/own", None, (*PEOPLE, *DEVICES)),
    ("GET /devices", None, PEOPLE),
    ("GET /removed_devices", None, PEOPLE),
    ("DELETE /device/own", None, (Role.OPERATOR,)),
    ("POST /device/own/readmit", None, (Role.OPERATOR,)),
    ("GET /topology", None, PEOPLE),
    ("GET /events", None, PEOPLE),
    ("GET /events?device_id=own", None, (*PEOPLE, Role.ENDPOINT)),
    ("GET /metrics", None, PEOPLE),
    ("POST /push_config/own", {"config": {}}, (Role.OPERATOR,)),
    ("GET /revocations", None, (*PEOPLE, Role.SERVICE, *DEVICES)),
    ("PUT /revocations", {"revocations": "x"}, (Role.OPERATOR,)),
    ("GET /openapi.json", None, PEOPLE),
]


@pytest.fixture
def balancer() -> FlaskClient:
    live = LiveBalancer(build({}, LoadBalancerConfig, "test"), None, wall_clock=lambda: NOW)
    return far(balancer_app(live, signed()))


@pytest.fixture
def controller(tmp_path: Path) -> Iterator[FlaskClient]:
    database = Database(f"sqlite:///{tmp_path}/registry.sqlite3")
    config = build({}, NetworkControllerConfig, "test")
    registry = Registry(database, config, lambda: NOW)
    yield far(controller_app(signed(), registry, Events(database), lambda: NOW))
    registry.close()


def far(app: Flask) -> FlaskClient:
    client = app.test_client()
    client.environ_base.update(FAR)
    return client


def ask(client: FlaskClient, what: str, role: Role, id: str, body: Any = None) -> TestResponse:  # noqa: A002
    method, path = what.split()
    return client.open(path, method=method, json=body, headers=as_(role, id))


@pytest.mark.parametrize(("what", "body", "roles"), BALANCER)
@pytest.mark.parametrize("role", list(Role))
def test_the_load_balancer_lets_a_role_do_its_own(
    balancer: FlaskClient, what: str, body: Any, roles: tuple[Role, ...], role: Role
) -> None:
    answer = ask(balancer, what, role, "own", body)
    assert (answer.status_code == 403) is (role not in roles), answer.json
    if role not in roles:
        assert answer.json is not None
        assert f"own has a token of the role {role.value}, which may" in answer.json["error"]


@pytest.mark.parametrize(("what", "body", "roles"), CONTROLLER)
@pytest.mark.parametrize("role", list(Role))
def test_the_controller_lets_a_role_do_its_own(
    controller: FlaskClient, what: str, body: Any, roles: tuple[Role, ...], role: Role
) -> None:
    answer = ask(controller, what, role, "own", body)
    assert (answer.status_code == 403) is (role not in roles), answer.json


def test_every_operation_has_a_row(balancer: FlaskClient, controller: FlaskClient) -> None:
    for client, rows in ((balancer, BALANCER), (controller, CONTROLLER)):
        asked = {what.partition("?")[0] for what, _, _ in rows}
        there = {
            f"{method} {re.sub('<.*>', 'own', rule.rule)}"
            for rule in client.application.url_map.iter_rules()
            for method in (rule.methods or set()) - {"HEAD"}
        }
        assert there - asked == {"GET /health"}
        assert asked <= there


@pytest.mark.parametrize(
    ("what", "body"),
    [
        ("POST /register", registration("other")),
        ("POST /status", {"device_id": "other", "timestamp": 1.0}),
        ("POST /config", {"device_id": "other"}),
        ("POST /events", {"device_id": "other", "events": []}),
        ("GET /device/other", None),
        ("GET /events?device_id=other", None),
    ],
)
def test_a_device_is_nobody_else_at_the_controller(
    controller: FlaskClient, what: str, body: Any
) -> None:
    assert ask(controller, what, Role.ENDPOINT, "own", body).status_code == 403
    everybody = ask(controller, "GET /devices", Role.MONITOR, "ann").json
    assert everybody is not None
    assert everybody["devices"] == []


def test_a_device_is_nobody_else_at_the_load_balancer(balancer: FlaskClient) -> None:
    assert ask(balancer, "POST /metrics", Role.ROUTER, "own", report("other")).status_code == 403
    assert ask(balancer, "GET /decision/other", Role.ENDPOINT, "own").status_code == 403
    listed = ask(balancer, "GET /status", Role.MONITOR, "ann").json
    assert listed is not None
    assert listed["servers"] == []


def test_a_registration_has_the_addresses_of_the_token(controller: FlaskClient) -> None:
    headers = as_(Role.ENDPOINT, "own", tun_ipv4="10.10.0.7")
    path = "/register"
    other = controller.post(path, json=registration("own", tun_ipv4="10.10.0.8"), headers=headers)
    assert other.status_code == 403
    assert other.json == {"error": "the token of own is for 10.10.0.7", "field": "tun_ipv4"}
    for body in (registration("own"), registration("own", tun_ipv4="10.10.0.7")):
        taken = controller.post(path, json=body, headers=headers)
        assert taken.json is not None
        assert taken.json["tun_ipv4"] == "10.10.0.7"


def test_who_only_asks_for_an_endpoint_leaves_nothing_behind(balancer: FlaskClient) -> None:
    assert ask(balancer, "POST /metrics", Role.ROUTER, "r1", report("r1")).status_code == 200
    for role in PEOPLE:
        told = ask(balancer, "GET /decision/nobody_yet", role, "ann").json
        assert told is not None
        assert told["optimal_router_id"] == "r1"
        # Nor who is called as an endpoint could be.
        assert ask(balancer, "GET /decision/ann", role, "ann").status_code == 200
        decisions = ask(balancer, "GET /decisions", role, "ann").json
        assert decisions is not None
        assert decisions["total"] == 0
    assert ask(balancer, "GET /decision/own", Role.ENDPOINT, "own").status_code == 200
    decisions = ask(balancer, "GET /decisions", Role.MONITOR, "ann").json
    assert decisions is not None
    assert [one["endpoint_id"] for one in decisions["decisions"]] == ["own"]


def test_the_health_of_both_is_open_and_nothing_else(
    balancer: FlaskClient, controller: FlaskClient
) -> None:
    for client in (balancer, controller):
        assert client.get("/health").status_code == 200
        rules = [rule for rule in client.application.url_map.iter_rules() if rule.rule != "/health"]
        assert len(rules) > 5
        for rule in rules:
            path = rule.rule.replace("<", "").replace(">", "")
            for method in rule.methods or ():
                assert client.open(path, method=method).status_code == 401, (method, path)


def test_a_form_on_somebodys_page_changes_nothing(controller: FlaskClient) -> None:
    answer = controller.post(
        "/register", data='{"device_id": "x"}', content_type="text/plain", headers=as_(*ANN)
    )
    assert answer.status_code == 415


def test_a_name_that_somebody_points_here_is_refused(controller: FlaskClient) -> None:
    answer = controller.get("/devices", headers={**as_(*ANN), "Host": "evil.example"})
    assert answer.status_code == 421


ANN = (Role.OPERATOR, "ann")
