from __future__ import annotations

from pathlib import Path

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from flask.testing import FlaskClient

from nrs.api import revoked, service
from nrs.api.auth import Trust
from nrs.api.incoming import LARGEST_BODY, LARGEST_OF_PROVED
from nrs.identity import revocations
from nrs.identity.credential import Role
from nrs.identity.revocation_file import RevocationFile
from nrs.identity.revocations import Revocations
from nrs.identity.verifier import Verifier
from tests.api.callers import NOW, URL, bearer, credential
from tests.serving import TIMEOUT_S, serving

KEY = Ed25519PrivateKey.generate()
OPERATOR = bearer(credential(Role.OPERATOR, "ann"), KEY)
SIBLING = bearer(credential(Role.SERVICE, "lb2"), KEY)


@pytest.fixture
def kept(tmp_path: Path) -> RevocationFile:
    return RevocationFile(tmp_path / "revocations", [KEY.public_key()])


@pytest.fixture
def app(kept: RevocationFile) -> Flask:
    trust = Trust(Verifier([KEY.public_key()], [URL]), kept)
    app = service.create_app("example", trust, clock=lambda: NOW)
    revoked.add_routes(app)
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def listed(number: int, *serials: str, key: Ed25519PrivateKey = KEY) -> dict[str, str]:
    return {"revocations": revocations.signed(Revocations(number, frozenset(serials)), key)}


def test_a_list_is_in_force_from_the_next_request_on(client: FlaskClient) -> None:
    stolen = credential(Role.ENDPOINT, "endpoint_1")
    ask = {"headers": bearer(stolen, KEY)}
    assert client.get("/revocations", **ask).status_code == 200
    answer = client.put("/revocations", json=listed(1, stolen.serial), headers=OPERATOR)
    assert (answer.status_code, (answer.json or {})["number"]) == (200, 1)
    assert client.get("/revocations", **ask).status_code == 401


def test_a_sibling_is_told_the_list_as_it_was_signed(client: FlaskClient) -> None:
    assert client.get("/revocations", headers=SIBLING).json == told(0, None)
    body = listed(1, "a" * 16)
    client.put("/revocations", json=body, headers=OPERATOR)
    assert client.get("/revocations", headers=SIBLING).json == told(1, body["revocations"])
    assert client.put("/revocations", json=listed(2), headers=SIBLING).status_code == 403


def told(number: int, text: str | None, *besides: str) -> dict[str, object]:
    return {"number": number, "revocations": text, "besides": list(besides)}


def test_only_a_later_list_than_a_device_has_is_told(client: FlaskClient) -> None:
    device = bearer(credential(Role.ROUTER, "router_1"), KEY)
    body = listed(3, "a" * 16)
    client.put("/revocations", json=body, headers=OPERATOR)
    for after, text in ((0, body["revocations"]), (2, body["revocations"]), (3, None), (4, None)):
        answer = client.get(f"/revocations?after={after}", headers=device)
        assert answer.json == told(3, text), after
    assert client.get("/revocations?after=-1", headers=device).status_code == 400


def test_a_service_may_refuse_more_by_itself(kept: RevocationFile) -> None:
    app = service.create_app(
        "example", Trust(Verifier([KEY.public_key()], [URL]), kept), clock=lambda: NOW
    )
    revoked.add_routes(app, lambda: ["endpoint_1"])
    answer = app.test_client().get("/revocations", headers=SIBLING)
    assert answer.json == told(0, None, "endpoint_1")


@pytest.mark.parametrize(
    "body",
    [
        listed(1),
        listed(2, "b" * 16),
        listed(3, key=Ed25519PrivateKey.generate()),
        {"revocations": "no list"},
    ],
)
def test_a_list_never_goes_back(
    client: FlaskClient, kept: RevocationFile, body: dict[str, str]
) -> None:
    client.put("/revocations", json=listed(2, "a" * 16), headers=OPERATOR)
    answer = client.put("/revocations", json=body, headers=OPERATOR)
    assert answer.status_code == 409
    assert kept.in_force == Revocations(2, frozenset({"a" * 16}))


def test_a_list_that_cannot_be_stored_is_in_force_and_said(
    client: FlaskClient, kept: RevocationFile, tmp_path: Path
) -> None:
    tmp_path.rmdir()
    answer = client.put("/revocations", json=listed(1), headers=OPERATOR)
    assert (answer.status_code, kept.in_force.number) == (503, 1)


def test_a_service_that_keeps_none_says_so() -> None:
    app = service.create_app(
        "example", Trust(Verifier([KEY.public_key()], [URL])), clock=lambda: NOW
    )
    revoked.add_routes(app)
    answer = app.test_client().put("/revocations", json=listed(1), headers=OPERATOR)
    assert answer.status_code == 404


def test_a_long_list_is_taken_where_the_connection_has_proved_a_credential(
    app: Flask, kept: RevocationFile
) -> None:
    body = listed(1, *(f"{number:016x}" for number in range(10_000)))
    assert LARGEST_BODY < len(body["revocations"]) < revocations.LARGEST < LARGEST_OF_PROVED
    with serving(app) as port, requests.Session() as session:
        url = f"http://127.0.0.1:{port}/revocations"
        first = session.put(url, json=body, headers=OPERATOR, timeout=TIMEOUT_S)
        assert (first.status_code, kept.in_force.number) == (413, 0)
        assert session.get(url, headers=OPERATOR, timeout=TIMEOUT_S).status_code == 200
        proved = session.put(url, json=body, headers=OPERATOR, timeout=TIMEOUT_S)
    assert (proved.status_code, kept.in_force.number) == (200, 1)


def test_only_the_list_may_be_long(app: Flask) -> None:
    @app.post("/other")
    def other() -> str:
        service.body(revoked.SignedList)
        return ""

    with serving(app) as port, requests.Session() as session:
        url = f"http://127.0.0.1:{port}"
        session.get(f"{url}/revocations", headers=OPERATOR, timeout=TIMEOUT_S)
        body = {"revocations": "x" * LARGEST_BODY}
        answer = session.post(f"{url}/other", json=body, headers=OPERATOR, timeout=TIMEOUT_S)
        assert answer.status_code == 413
        assert answer.json()["error"] == f"the body is larger than {LARGEST_BODY} bytes"
        longest = {"revocations": "x" * LARGEST_OF_PROVED}
        put = session.put(f"{url}/revocations", json=longest, headers=OPERATOR, timeout=TIMEOUT_S)
        assert put.status_code == 413
