from __future__ import annotations

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask.testing import FlaskClient

from nrs.api import revoked, service
from nrs.api.auth import Trust
from nrs.identity import revocations
from nrs.identity.credential import Role
from nrs.identity.revocation_file import RevocationFile
from nrs.identity.revocations import Revocations
from nrs.identity.verifier import Verifier
from tests.api.callers import NOW, URL, bearer, credential

KEY = Ed25519PrivateKey.generate()
OPERATOR = bearer(credential(Role.OPERATOR, "ann"), KEY)
SIBLING = bearer(credential(Role.SERVICE, "lb2"), KEY)


@pytest.fixture
def kept(tmp_path: Path) -> RevocationFile:
    return RevocationFile(tmp_path / "revocations", [KEY.public_key()])


@pytest.fixture
def client(kept: RevocationFile) -> FlaskClient:
    trust = Trust(Verifier([KEY.public_key()], [URL]), kept)
    app = service.create_app("example", trust, clock=lambda: NOW)
    revoked.add_routes(app)
    return app.test_client()


def listed(number: int, *serials: str, key: Ed25519PrivateKey = KEY) -> dict[str, str]:
    return {"revocations": revocations.signed(Revocations(number, frozenset(serials)), key)}


def test_a_list_is_in_force_from_the_next_request_on(client: FlaskClient) -> None:
    stolen = credential(Role.ENDPOINT, "endpoint_1")
    ask = {"headers": bearer(stolen, KEY)}
    assert client.get("/revocations", **ask).status_code == 403
    answer = client.put("/revocations", json=listed(1, stolen.serial), headers=OPERATOR)
    assert (answer.status_code, (answer.json or {})["number"]) == (200, 1)
    assert client.get("/revocations", **ask).status_code == 401


def test_a_sibling_is_told_the_list_as_it_was_signed(client: FlaskClient) -> None:
    assert client.get("/revocations", headers=SIBLING).json == {"number": 0, "revocations": None}
    body = listed(1, "a" * 16)
    client.put("/revocations", json=body, headers=OPERATOR)
    assert client.get("/revocations", headers=SIBLING).json == {"number": 1, **body}
    assert client.put("/revocations", json=listed(2), headers=SIBLING).status_code == 403


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
