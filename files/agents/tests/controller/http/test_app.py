"""Each route of the API: what it answers, what it refuses, what a refusal leaves behind.

Each answer is held against the model of its route as well, see `tests.api.declared`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from nrs.controller.registry import Registry
from tests.controller.conftest import Clock, endpoint, router, status, tunnel


def register(client: FlaskClient, body: dict[str, Any]) -> dict[str, Any]:
    answer = client.post("/register", json=body)
    assert answer.status_code in {200, 201}, answer.json
    return dict(answer.json or {})


def test_a_first_registration_is_201_and_a_repeated_one_200_with_the_same_answer(
    client: FlaskClient,
) -> None:
    first = client.post("/register", json=endpoint())
    again = client.post("/register", json=endpoint())
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.json == again.json
    assert first.json == {
        "device_id": "endpoint_1",
        "tun_ipv4": "10.10.100.1",
        "tun_ipv6": "fd00:100::1",
        "tunnel_port": 51820,
        "config_version": 0,
    }


def test_a_changed_statement_replaces_the_old_one(client: FlaskClient) -> None:
    register(client, router(external_ip="192.0.2.1", port=51820, version="1.0.0"))
    register(client, router(external_ip="2001:db8::1", name="new", tun_ipv4="10.10.1.1"))
    device = client.get("/device/router_1").json
    assert device is not None
    assert (device["external_ip"], device["name"]) == ("2001:db8::1", "new")
    assert (device["tun_ipv4"], device["tun_ipv6"]) == ("10.10.1.1", "fd00:100::1")
    assert (device["port"], device["ports"], device["version"]) == (None, [], None)


def test_a_router_states_all_its_ports_and_the_first_is_its_port(client: FlaskClient) -> None:
    def shown(**stated: Any) -> tuple[Any, Any]:
        register(client, router(**stated))
        (device,) = (client.get("/devices").json or {})["devices"]
        return device["port"], device["ports"]

    assert shown(port=51820, ports=[51820, 443]) == (51820, [51820, 443])
    assert shown(port=443) == (443, [443])
    assert shown() == (None, [])


@pytest.mark.parametrize("stated", [{"ports": [443]}, {"port": 51820, "ports": [443, 51820]}])
def test_a_port_that_is_not_the_first_is_refused(
    client: FlaskClient, stated: dict[str, Any]
) -> None:
    answer = client.post("/register", json=router(**stated))
    assert answer.status_code == 400
    assert "the first of ports is 443" in (answer.json or {})["error"]


def test_an_address_of_another_device_is_409_with_the_field(client: FlaskClient) -> None:
    register(client, endpoint("endpoint_1"))
    answer = client.post("/register", json=endpoint("endpoint_2", tun_ipv6="fd00:100::1"))
    assert answer.status_code == 409
    assert answer.json == {
        "error": "fd00:100::1 belongs to device 'endpoint_1'",
        "field": "tun_ipv6",
    }
    assert client.get("/device/endpoint_2").status_code == 404


def test_an_exhausted_pool_is_409_and_leaves_registered_devices_alone(
    open_registry: Callable[..., Registry], client_of: Callable[[Registry], FlaskClient]
) -> None:
    client = client_of(open_registry(tun_ipv4_pool={"start": 1, "end": 2}))
    held = [register(client, endpoint(f"endpoint_{n}")) for n in (1, 2)]
    answer = client.post("/register", json=endpoint("endpoint_3"))
    assert answer.status_code == 409
    assert answer.json == {
        "error": "no free address is left in ip_allocation.tun_ipv4_pool",
        "field": "tun_ipv4",
    }
    assert [register(client, endpoint(f"endpoint_{n}")) for n in (1, 2)] == held
    assert client.get("/device/endpoint_3").status_code == 404


@pytest.mark.parametrize(
    "address",
    ["127.0.0.1", "224.0.0.1", "169.254.1.1", "255.255.255.255"],
)
def test_what_cannot_be_a_tunnel_ipv4_address_is_400(client: FlaskClient, address: str) -> None:
    answer = client.post("/register", json=endpoint(tun_ipv4=address))
    assert (answer.status_code, (answer.json or {})["field"]) == (400, "tun_ipv4")


@pytest.mark.parametrize(
    "address", ["::1", "ff02::1", "fe80::1", "::ffff:192.0.2.1", "fd00::1%eth0"]
)
def test_what_cannot_be_a_tunnel_ipv6_address_is_400(client: FlaskClient, address: str) -> None:
    answer = client.post("/register", json=endpoint(tun_ipv6=address))
    assert (answer.status_code, (answer.json or {})["field"]) == (400, "tun_ipv6")


BAD_BODIES: list[Any] = [
    ("/register", b"", None),
    ("/register", b"{", None),
    ("/register", b"[]", None),
    ("/register", b"\xff", None),
    ("/register", {}, "device_id"),
    ("/register", endpoint("../x"), "device_id"),
    ("/register", endpoint("x" * 65), "device_id"),
    ("/register", {**endpoint(), "device_type": "toaster"}, "device_type"),
    ("/register", endpoint(tun_ipv4="fd00::1"), "tun_ipv4"),
    ("/register", endpoint(tun_ipv4=5), "tun_ipv4"),
    ("/register", endpoint(tun_ipv4="10.0.0.0/8"), "tun_ipv4"),
    ("/register", endpoint(external_ip="somewhere"), "external_ip"),
    ("/register", endpoint(port=0), "port"),
    ("/register", endpoint(port="51820"), "port"),
    ("/register", endpoint(port=1, ports=[1, 1]), "ports"),
    ("/register", endpoint(port=1, ports=[1, 0]), "ports.1"),
    ("/register", endpoint(colour="red"), "colour"),
    ("/status", status("endpoint_1", timestamp=-1.0), "timestamp"),
    ("/status", b'{"device_id": "endpoint_1", "timestamp": NaN}', "timestamp"),
    ("/status", status("endpoint_1", {"peer_id": "r"}), "tunnels.0.up"),
    ("/status", status("endpoint_1", tunnel("r", rtt_ms=-0.1)), "tunnels.0.rtt_ms"),
    ("/status", status("endpoint_1", tunnel("r", up=1)), "tunnels.0.up"),
    ("/status", status("endpoint_1", config_version=-1), "config_version"),
    ("/status", status("endpoint_1", config_version=2**53), "config_version"),
    ("/config", {}, "device_id"),
    ("/config", {"device_id": None}, "device_id"),
    ("/push_config/endpoint_1", {}, "config"),
    ("/push_config/endpoint_1", {"config": []}, "config"),
    ("/push_config/endpoint_1", {"config": {"tunnel": {"psk": "x"}}}, "config.tunnel.psk"),
    ("/push_config/endpoint_1", b'{"config": {"a": 1e999}}', "config.a"),
    ("/push_config/endpoint_1", {"config": {"a\nb": 1}}, r"config.a\nb"),
    ("/push_config/endpoint_1", {"config": {"tunnel": {"mtu": 1400}}}, "config.tunnel.mtu"),
    (
        "/push_config/endpoint_1",
        {"config": {"endpoint": {"endpoint_id": "x"}}},
        "config.endpoint.endpoint_id",
    ),
]


@pytest.mark.parametrize(("path", "body", "field"), BAD_BODIES)
def test_bad_input_is_400_names_the_field_and_changes_nothing(
    client: FlaskClient, path: str, body: Any, field: str | None
) -> None:
    register(client, endpoint())
    client.post("/status", json=status("endpoint_1", tunnel("router_1")))
    before = client.get("/topology").json, client.get("/device/endpoint_1").json
    if isinstance(body, bytes):
        answer = client.post(path, data=body, content_type="application/json")
    else:
        answer = client.post(path, json=body)
    assert answer.status_code == 400, answer.json
    assert answer.json is not None
    assert set(answer.json) == {"error", "field"}
    assert answer.json["error"]
    assert answer.json["field"] == field
    after = client.get("/topology").json, client.get("/device/endpoint_1").json
    assert after == before


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/status", status("nobody")),
        ("POST", "/config", {"device_id": "nobody"}),
        ("POST", "/push_config/nobody", {"config": {}}),
        ("GET", "/device/nobody", None),
    ],
)
def test_an_unknown_device_is_404(
    client: FlaskClient, method: str, path: str, body: dict[str, Any] | None
) -> None:
    answer = client.open(path, method=method, json=body)
    assert answer.status_code == 404
    assert answer.json is not None
    assert answer.json["field"] == "device_id"
    assert "not registered" in answer.json["error"]
    assert (client.get("/devices").json or {})["devices"] == []


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/push_config/no%20body%00", {"config": {}}),
        ("GET", "/device/%ff", None),
        ("GET", "/device/-x", None),
    ],
)
def test_what_is_no_name_is_400(
    client: FlaskClient, method: str, path: str, body: dict[str, Any] | None
) -> None:
    answer = client.open(path, method=method, json=body)
    assert answer.status_code == 400
    assert answer.json == {
        "error": "must be 1 to 64 letters, digits, '_', '-' or '.', no sign first",
        "field": "device_id",
    }


def test_a_body_over_64_kilobytes_is_413(client: FlaskClient) -> None:
    register(client, endpoint())
    body = {"config": {"note": "x" * 65536}}
    assert client.post("/push_config/endpoint_1", json=body).status_code == 413
    assert (client.get("/device/endpoint_1").json or {})["config_version"] == 0


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/register"),
        ("POST", "/status"),
        ("POST", "/config"),
        ("POST", "/push_config/endpoint_1"),
        ("GET", "/device/endpoint_1"),
        ("GET", "/devices"),
        ("GET", "/topology"),
        ("GET", "/nowhere"),
    ],
)
def test_a_wrong_token_is_401_even_from_loopback_and_changes_nothing(
    client: FlaskClient, method: str, path: str
) -> None:
    register(client, endpoint())
    wrong = {"Authorization": "Bearer " + "w" * 40}
    body = endpoint("intruder") if path == "/register" else {"config": {"a": 1}}
    answer = client.open(path, method=method, headers=wrong, json=body)
    assert answer.status_code == 401
    devices = (client.get("/devices").json or {})["devices"]
    assert [(d["device_id"], d["config_version"]) for d in devices] == [("endpoint_1", 0)]


def test_without_a_token_loopback_reads_others_get_only_health(client: FlaskClient) -> None:
    del client.environ_base["HTTP_AUTHORIZATION"]
    far = {"REMOTE_ADDR": "192.0.2.1"}
    assert client.get("/topology").status_code == 200
    assert client.post("/register", json=endpoint()).status_code == 401
    assert client.get("/topology", environ_base=far).status_code == 401
    health = client.get("/health", environ_base=far)
    assert health.status_code == 200
    assert (health.json or {})["status"] == "ok"


def test_a_push_counts_up_only_when_the_configuration_differs(
    client: FlaskClient, clock: Clock
) -> None:
    register(client, endpoint())
    first = int(clock.now)

    def push(config: dict[str, Any]) -> Any:
        return client.post("/push_config/endpoint_1", json={"config": config}).json

    def answer(version: int, changed: bool) -> dict[str, Any]:
        return {"device_id": "endpoint_1", "version": version, "changed": changed}

    client.post("/status", json=status("endpoint_1"))
    assert push({}) == answer(0, False)
    assert push({"tunnel": {"routes": [], "keepalive_interval": 5}}) == answer(first, True)
    assert push({"tunnel": {"keepalive_interval": 5, "routes": []}}) == answer(first, False)
    assert push({"tunnel": {"keepalive_interval": 6}}) == answer(first + 1, True)
    fetched = client.post("/config", json={"device_id": "endpoint_1"}).json
    assert fetched == {
        "device_id": "endpoint_1",
        "version": first + 1,
        "config": {"tunnel": {"keepalive_interval": 6}},
    }
    assert register(client, endpoint())["config_version"] == first + 1


def test_a_status_is_seen_in_the_device_and_in_the_topology(
    client: FlaskClient, clock: Clock
) -> None:
    register(client, endpoint())
    register(client, router())
    registered_at = clock.now
    clock.now += 40
    assert (client.get("/device/endpoint_1").json or {})["status"] == "offline"
    posted = client.post(
        "/status",
        json=status(
            "endpoint_1", tunnel("router_1"), config_version=1, config_error="no", put_back=3
        ),
    )
    assert posted.status_code == 200
    assert client.get("/device/endpoint_1").json == {
        "device_id": "endpoint_1",
        "device_type": "network_access_endpoint",
        "name": "name of endpoint_1",
        "tun_ipv4": "10.10.100.1",
        "tun_ipv6": "fd00:100::1",
        "internal_ip": None,
        "external_ip": None,
        "port": None,
        "ports": [],
        "version": None,
        "registered_at": registered_at,
        "last_seen": clock.now,
        "status": "online",
        "config_version": 0,
        "config_acknowledged": 1,
        "config_error": "no",
        "put_back": 3,
        "not_kept": 0,
        "tunnels": [
            {"peer_id": "router_1", "up": True, "active": True, "rtt_ms": 0.5, "since": 7.0}
        ],
    }
    devices = client.get("/devices").json
    topology = client.get("/topology").json
    assert devices is not None
    assert topology is not None
    assert devices["timestamp"] == topology["timestamp"] == clock.now
    assert devices["devices"] == topology["devices"]
    assert [(d["device_id"], d["status"]) for d in devices["devices"]] == [
        ("endpoint_1", "online"),
        ("router_1", "offline"),
    ]
    assert topology["tunnels"] == [
        {
            "endpoint_id": "endpoint_1",
            "router_id": "router_1",
            "up": True,
            "active": True,
            "rtt_ms": 0.5,
            "since": 7.0,
        }
    ]


def test_a_failing_database_is_503_and_takes_no_address(
    client: FlaskClient, database_file: Path
) -> None:
    connection = sqlite3.connect(database_file)
    connection.execute("ALTER TABLE devices RENAME TO away")
    answer = client.post("/register", json=endpoint("endpoint_1"))
    assert answer.status_code == 503
    assert answer.json == {
        "error": "the registry's storage failed; nothing was changed",
        "field": None,
    }
    connection.execute("ALTER TABLE away RENAME TO devices")
    connection.close()
    assert register(client, endpoint("endpoint_2"))["tun_ipv4"] == "10.10.100.1"


def test_a_device_may_state_that_it_has_no_address_of_a_family(client: FlaskClient) -> None:
    answer = client.post("/register", json=endpoint("first", tun_ipv6="::")).json or {}
    assert (answer["tun_ipv4"], answer["tun_ipv6"]) == ("10.10.100.1", None)
    for device_id in ("second", "third"):
        answer = client.post("/register", json=endpoint(device_id, tun_ipv4="0.0.0.0")).json or {}
        assert answer["tun_ipv4"] is None
    listed = (client.get("/devices").json or {})["devices"]
    assert [device["tun_ipv6"] for device in listed] == [None, "fd00:100::1", "fd00:100::2"]


def test_a_device_needs_an_address(client: FlaskClient) -> None:
    answer = client.post("/register", json=endpoint(tun_ipv4="0.0.0.0", tun_ipv6="::"))
    assert answer.status_code == 400
    assert "one is needed" in (answer.json or {})["error"]
