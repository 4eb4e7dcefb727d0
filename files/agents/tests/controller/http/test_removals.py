"""Removing devices by the API, and letting them in again."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from flask.testing import FlaskClient

from nrs.api import service
from nrs.controller.registry import Registry
from nrs.identity.revocation_file import RevocationFile
from nrs.identity.revocations import Revocations, signed
from tests.controller.conftest import Clock, endpoint, event, status

OUT = "device 'endpoint_1' was removed by an operator on 2027-01-15 08:00 UTC"


def posts() -> list[tuple[str, dict[str, Any]]]:
    return [
        ("/register", endpoint()),
        ("/status", status("endpoint_1")),
        ("/config", {"device_id": "endpoint_1"}),
        ("/events", {"device_id": "endpoint_1", "events": [event()]}),
        ("/push_config/endpoint_1", {"config": {"load_balancer": {"use": False}}}),
    ]


def test_a_removed_device_is_told_so_until_it_is_readmitted(
    client: FlaskClient, clock: Clock
) -> None:
    client.post("/register", json=endpoint())
    first, again = (client.delete("/device/endpoint_1").json for _ in range(2))
    assert first is not None
    owed = first["owed"]
    assert "nrs token revoke --id endpoint_1 --issued-before now" in owed
    expected = {
        "device_id": "endpoint_1",
        "removed_at": clock.now,
        "tun_ipv4": "10.10.100.1",
        "tun_ipv6": "fd00:100::1",
        "addresses_free_at": clock.now + 86400,
        "owed": owed,
    }
    assert first == {**expected, "changed": True}
    assert again == {**expected, "changed": False}
    assert client.get("/removed_devices").json == {"timestamp": clock.now, "devices": [expected]}
    answers = [client.post(path, json=body) for path, body in posts()]
    answers.append(client.get("/device/endpoint_1"))
    for answer in answers:
        assert answer.status_code == 410
        assert answer.json is not None
        assert answer.json["error"].startswith(OUT)
        assert answer.json["field"] == "device_id"
    assert (client.get("/devices").json or {})["devices"] == []
    readmitted = [client.post("/device/endpoint_1/readmit").json for _ in range(2)]
    assert [one and one["changed"] for one in readmitted] == [True, False]
    assert client.post("/config", json={"device_id": "endpoint_1"}).status_code == 404
    assert client.post("/register", json=endpoint()).status_code == 201
    assert (client.get("/removed_devices").json or {})["devices"] == []


def test_devices_are_told_who_is_out(
    client: FlaskClient,
    open_registry: Callable[..., Registry],
    client_of: Callable[[Registry], FlaskClient],
    tmp_path: Path,
) -> None:
    def told(of: FlaskClient) -> list[str]:
        application = of.application
        assert isinstance(application, Flask)
        kept = RevocationFile(tmp_path / "revocations", [Ed25519PrivateKey.generate().public_key()])
        service.believe(application, replace(service.trust_in(application), revocations=kept))
        found: list[str] = (of.get("/revocations").json or {})["besides"]
        return found

    client.post("/register", json=endpoint())
    for name in ("endpoint_1", "router_9"):
        client.delete(f"/device/{name}")
    assert told(client) == ["endpoint_1", "router_9"]
    client.post("/device/endpoint_1/readmit")
    assert told(client) == ["router_9"]
    assert told(client_of(open_registry())) == ["router_9"], "after a restart too"


def test_who_was_never_here_is_not_readmitted(client: FlaskClient) -> None:
    answer = client.post("/device/router_9/readmit")
    assert answer.status_code == 404
    assert answer.json == {"error": "device 'router_9' is not registered", "field": "device_id"}


@pytest.mark.parametrize(("ahead", "is_owed"), [(-400.0, True), (-200.0, False), (5.0, False)])
def test_nothing_is_owed_once_its_tokens_are_revoked(
    client: FlaskClient, clock: Clock, tmp_path: Path, ahead: float, is_owed: bool
) -> None:
    """By this service's own list; the control node's clock may be behind by minutes."""
    key = Ed25519PrivateKey.generate()
    kept = RevocationFile(tmp_path / "revocations", [key.public_key()])
    application = client.application
    assert isinstance(application, Flask)
    trust = replace(service.trust_in(application), revocations=kept)
    service.believe(application, trust)
    client.delete("/device/endpoint_1")
    kept.take(signed(Revocations().with_id("endpoint_1", clock.now + ahead), key))
    (shown,) = (client.get("/removed_devices").json or {})["devices"]
    assert (shown["owed"] is not None) == is_owed
    assert (client.delete("/device/endpoint_1").json or {})["owed"] == shown["owed"]
