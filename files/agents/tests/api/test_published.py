"""What every service says of itself, and how it answers what its views raise."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import Metric
from prometheus_client.registry import Collector

import nrs
from nrs.api import service, shown
from nrs.api.answers import Answer, Health
from nrs.api.auth import Trust
from nrs.api.operation import Operation, takes
from nrs.api.published import expose, publish
from nrs.api.service import ApiError
from nrs.identity.certificate import read
from nrs.identity.credential import Role
from nrs.identity.revocation_file import RevocationFile
from nrs.identity.revocations import Revocations, signed
from tests.api.callers import NOW, as_, shared
from tests.api.callers import signed as trust
from tests.api.certified import DAY, Authority
from tests.api.certified import NOW as TODAY
from tests.serving import TIMEOUT_S, serving

TOKEN = "a" * 32
BEARER = {"Authorization": f"Bearer {TOKEN}"}
REMOTE = {"REMOTE_ADDR": "2001:db8::7"}


class Lively(Health):
    pulse: int


class Nothing(Collector):
    def collect(self) -> Iterable[Metric]:
        return ()


class Made(Answer):
    number: int


@pytest.fixture
def refused() -> list[int]:
    return []


@pytest.fixture
def stored() -> list[str]:
    """What is on disk; nothing once something could not be written."""
    return ["something"]


@pytest.fixture
def app(refused: list[int], stored: list[str]) -> Flask:
    app = service.create_app(
        "example", shared(TOKEN), lambda error: refused.append(error.status), lambda: NOW
    )
    service.answer_as(app, LookupError, lambda error: ApiError(404, str(error), "thing"))

    @app.put("/thing/<thing>")
    @takes(Operation("A thing", Made, created="it is new", refused={404: "no such thing"}))
    def thing(thing: str) -> tuple[dict[str, Any], int]:
        if thing == "gone":
            raise IndexError("it has gone")
        return {"number": 1}, 201

    expose(app, "Figures", Nothing())
    publish(app, "Example", Lively, lambda: {"pulse": 60}, lambda: None if stored else "a fault")
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_health_is_open_and_has_the_state(client: FlaskClient) -> None:
    answer = client.get("/health", environ_base=REMOTE)
    assert (answer.status_code, answer.json) == (
        200,
        {"status": "ok", "reason": None, "certificate_warning": None, "pulse": 60},
    )
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("left", "warned"),
    [(31 * DAY, None), (30 * DAY, "ends in 29 days, on "), (-DAY, "ended on ")],
)
def test_the_end_of_a_certificate_is_told_and_the_service_still_serves(
    app: Flask, client: FlaskClient, tmp_path: Path, left: timedelta, warned: str | None
) -> None:
    certificate, _ = Authority(tmp_path).certify("one", "192.0.2.1", end=TODAY + left)
    shown.show(app, read(certificate))
    answer = client.get("/health", environ_base=REMOTE)
    assert answer.status_code == 200 and answer.json is not None
    date = f"{TODAY + left:%Y-%m-%d %H:%M} UTC"
    expected = None if warned is None else f"the certificate of one {warned}{date}"
    assert answer.json["certificate_warning"] == expected
    figures = client.get("/metrics", headers=BEARER).text
    end = next(line for line in figures.splitlines() if line.startswith("nrs_certificate_end"))
    assert float(end.split()[1]) == int((TODAY + left).timestamp())
    shown.show(app, None)
    assert "nrs_certificate_end_seconds" not in client.get("/metrics", headers=BEARER).text


def test_the_document_needs_the_token(client: FlaskClient) -> None:
    assert client.get("/openapi.json", environ_base=REMOTE).status_code == 401
    answer = client.get("/openapi.json", headers=BEARER)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json is not None
    assert answer.json["info"] == {"title": "Example", "version": nrs.__version__}
    assert answer.json["paths"].keys() == {
        "/thing/{thing}",
        "/metrics",
        "/health",
        "/revocations",
    }
    assert answer.json["paths"]["/health"]["get"]["security"] == []
    responses = answer.json["paths"]["/thing/{thing}"]["put"]["responses"]
    assert responses.keys() == {"200", "201", "400", "401", "403", "404", "421", "500"}
    assert responses["201"]["content"] == responses["200"]["content"]


def test_what_a_view_raises_is_answered_and_told(client: FlaskClient, refused: list[int]) -> None:
    answer = client.put("/thing/gone", headers=BEARER)
    assert answer.status_code == 404
    assert answer.json == {"error": "it has gone", "field": "thing"}
    assert refused == [404]


def test_health_is_degraded_while_something_is_not_stored(
    app: Flask, stored: list[str], tmp_path: Path
) -> None:
    client, key = app.test_client(), Ed25519PrivateKey.generate()
    directory = tmp_path / "state"
    kept = RevocationFile(directory / "revocations", [key.public_key()])
    service.believe(app, Trust(revocations=kept))
    assert client.get("/health").status_code == 200
    stored.clear()
    with pytest.raises(OSError, match="No such file"):
        kept.take(signed(Revocations(1), key))
    answer = client.get("/health", environ_base=REMOTE)
    assert (answer.status_code, answer.json) == (
        503,
        {
            "status": "degraded",
            "reason": "a fault; the list of revocations is not stored: No such file or directory",
            "certificate_warning": None,
            "pulse": 60,
        },
    )
    directory.mkdir()
    kept.store()
    stored.append("something")
    assert client.get("/health").status_code == 200
    assert RevocationFile(directory / "revocations", [key.public_key()]).in_force.number == 1


def test_what_was_refused_is_told_to_prometheus(app: Flask) -> None:
    service.believe(app, trust())
    with serving(app) as port:

        def asked(path: str, headers: dict[str, str]) -> requests.Response:
            url = f"http://localhost:{port}{path}"
            return requests.get(url, headers=headers, timeout=TIMEOUT_S)

        monitor = as_(Role.MONITOR, "ann")
        for _ in range(3):
            assert asked("/metrics", BEARER).status_code == 401
        for _ in range(2):
            assert asked("/metrics", as_(Role.ENDPOINT, "endpoint_1")).status_code == 403
        assert asked("/metrics", {}).status_code == 401
        lines = asked("/metrics", monitor).text.splitlines()
    assert "nrs_credentials_refused_total 3.0" in lines
    assert "nrs_requests_denied_total 2.0" in lines
