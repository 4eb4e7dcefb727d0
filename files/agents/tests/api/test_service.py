from __future__ import annotations

from dataclasses import replace
from ipaddress import ip_network
from typing import Any
from urllib.parse import unquote

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from werkzeug.exceptions import HTTPException

from nrs.api import service
from nrs.api.auth import Trust
from nrs.api.messages import DeviceStatus
from tests.api.callers import shared

TOKEN = "a" * 32
BEARER = {"Authorization": f"Bearer {TOKEN}"}
JSON = {**BEARER, "Content-Type": "application/json"}
REMOTE = {"REMOTE_ADDR": "2001:db8::7"}


@pytest.fixture
def app() -> Flask:
    app = service.create_app("example", shared(TOKEN))

    @app.get("/health")
    def health() -> dict[str, Any]:
        return {"status": "ok"}

    @app.post("/status")
    def status() -> dict[str, Any]:
        return {"device_id": service.body(DeviceStatus).device_id}

    @app.get("/device/<device_id>")
    def device(device_id: str) -> dict[str, Any]:
        return {"device_id": device_id}

    @app.get("/broken")
    def broken() -> None:
        raise RuntimeError("password=hunter2")

    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_health_needs_no_token(client: FlaskClient, method: str) -> None:
    assert client.open("/health", method=method, environ_base=REMOTE).status_code == 200


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "OPTIONS"])
def test_only_reading_health_is_open(client: FlaskClient, method: str) -> None:
    assert client.open("/health", method=method, environ_base=REMOTE).status_code == 401


@pytest.mark.parametrize("path", ["/status", "/nowhere", "/device//router_1"])
def test_everything_else_answers_401_first(client: FlaskClient, path: str) -> None:
    answer = client.post(path, data=b"{", environ_base=REMOTE)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert answer.json == {"error": "a bearer token is required", "field": None}


def test_a_new_token_counts_from_the_next_request_on(app: Flask, client: FlaskClient) -> None:
    renewed = "b" * 32
    service.believe(app, shared(renewed))
    assert client.get("/nowhere", headers=BEARER).status_code == 401
    headers = {"Authorization": f"Bearer {renewed}"}
    assert client.get("/nowhere", headers=headers).status_code == 404


@pytest.mark.parametrize("remote", ["10.10.100.1", "::ffff:10.10.100.1", "fd00:10:100::1", None])
@pytest.mark.parametrize("path", ["/health", "/status", "/nowhere"])
def test_out_of_tunnels_nothing_is_answered_whoever_asks(
    app: Flask, client: FlaskClient, remote: str | None, path: str
) -> None:
    networks = [ip_network("10.10.0.0/16"), ip_network("fd00:10::/32")]
    service.believe(app, replace(shared(TOKEN), refused=networks))
    answer = client.get(path, headers=BEARER, environ_base={"REMOTE_ADDR": remote})
    refusal = "this service takes no requests out of tunnels (api.refused_networks)"
    assert (answer.status_code, answer.json) == (403, {"error": refusal, "field": None})
    assert client.get("/health", environ_base=REMOTE).status_code == 200
    service.believe(app, shared(TOKEN))
    answer = client.get("/health", headers=BEARER, environ_base={"REMOTE_ADDR": remote})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("GET", "/status", 405), ("GET", "/device//router_1", 404)],
)
def test_errors_are_json(client: FlaskClient, method: str, path: str, status: int) -> None:
    answer = client.open(path, method=method, headers=BEARER)
    assert answer.status_code == status
    assert answer.json is not None
    assert answer.json.keys() == {"error", "field"}
    assert answer.headers["Cache-Control"] == "no-store"


def test_405_names_the_methods(client: FlaskClient) -> None:
    assert "POST" in client.get("/status", headers=BEARER).headers["Allow"]


def test_a_defect_answers_500_and_tells_nothing(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    answer = client.get("/broken", headers=BEARER)
    assert answer.status_code == 500
    assert b"hunter2" not in answer.data
    assert "hunter2" in caplog.text


def test_a_good_body(client: FlaskClient) -> None:
    answer = client.post("/status", json={"device_id": "router_1", "timestamp": 5}, headers=BEARER)
    assert (answer.status_code, answer.json) == (200, {"device_id": "router_1"})


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", None),
        (b"{", None),
        (b"[]", None),
        (b'{"device_id": "a", "timestamp": NaN}', "timestamp"),
        (b'{"device_id": "a", "timestamp": "5"}', "timestamp"),
        (b'{"device_id": "a"}', "timestamp"),
        (b'{"device_id": "a", "device_id": "b", "timestamp": 5}', "device_id"),
        (b'{"device_id": "a", "timestamp": 5, "more": 1}', "more"),
        (
            b'{"device_id": "a", "timestamp": 5, "tunnels":'
            b' [{"peer_id": "b", "up": true, "active": true, "rtt_ms": -1}]}',
            "tunnels.0.rtt_ms",
        ),
    ],
)
def test_a_bad_body_answers_400_with_the_field(
    client: FlaskClient, body: bytes, field: str | None
) -> None:
    answer = client.post("/status", data=body, headers=JSON)
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json["error"]
    assert answer.json["field"] == field


def test_a_body_may_have_64_kb(client: FlaskClient) -> None:
    body = b'{"device_id": "router_1", "timestamp": 5}'
    assert client.post("/status", data=body.ljust(65536), headers=JSON).status_code == 200
    answer = client.post("/status", data=body.ljust(65537), headers=JSON)
    assert answer.status_code == 413
    assert answer.json == {"error": "the body is larger than 65536 bytes", "field": None}


@pytest.mark.parametrize("method", ["GET", "HEAD", "POST", "PUT"])
@pytest.mark.parametrize(
    "path",
    [
        *(
            "/thing/a",
            "/thing/late",
            "/thing/",
            "/thing",
            "/thing/a/",
            "/thing/a/b",
            "//thing/a",
            "/thing//a",
        ),
        *(
            "/x/thing/a",
            "/other/a",
            "/other/all",
            "/part/a/of/b",
            "/part/a",
            "/number/7",
            "/number/a",
        ),
        *("/thing/%C3%BC", "/a", "/"),
    ],
)
def test_a_path_leads_where_flask_leads_it(path: str, method: str) -> None:
    app = service.create_app("example", Trust())

    def view(**stated: object) -> dict[str, object]:
        return {"rule": str(request.url_rule), "stated": stated}

    for place, (rule, methods) in enumerate(
        (
            ("/thing/<name>", ["GET", "PUT"]),
            ("/other/<name>", ["GET"]),
            ("/other/all", ["GET"]),
            ("/part/<one>/of/<other>", ["GET"]),
            ("/number/<int:value>", ["GET"]),
            ("/<name>", ["POST"]),
            ("/thing/late", ["GET"]),
        )
    ):
        app.add_url_rule(rule, str(place), view, methods=methods)
        # One that is added when the others are in use counts as well.
        app.test_client().get("/thing/a")
    as_wsgi_has_it = {"PATH_INFO": unquote(path).encode().decode("latin-1")}
    answer = app.test_client().open(method=method, environ_overrides=as_wsgi_has_it)
    try:
        rule_, stated = app.url_map.bind("localhost").match(unquote(path), method, return_rule=True)
    except HTTPException as error:
        assert answer.status_code == error.code
    else:
        assert answer.status_code == 200
        assert method == "HEAD" or answer.json == {"rule": str(rule_), "stated": dict(stated)}
