"""What every service says of itself, and how it answers what its views raise."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import CollectorRegistry

import nrs
from nrs.api import service, shown
from nrs.api.answers import Answer, Health
from nrs.api.operation import Operation, takes
from nrs.api.published import expose, publish
from nrs.api.service import ApiError
from nrs.identity.certificate import read
from tests.api.callers import shared
from tests.api.certified import DAY, NOW, Authority

TOKEN = "a" * 32
BEARER = {"Authorization": f"Bearer {TOKEN}"}
REMOTE = {"REMOTE_ADDR": "2001:db8::7"}


class Lively(Health):
    pulse: int


class Made(Answer):
    number: int


@pytest.fixture
def refused() -> list[int]:
    return []


@pytest.fixture
def app(refused: list[int]) -> Flask:
    app = service.create_app("example", shared(TOKEN), lambda error: refused.append(error.status))
    service.answer_as(app, LookupError, lambda error: ApiError(404, str(error), "thing"))

    @app.put("/thing/<thing>")
    @takes(Operation("A thing", Made, created="it is new", refused={404: "no such thing"}))
    def thing(thing: str) -> tuple[dict[str, Any], int]:
        if thing == "gone":
            raise IndexError("it has gone")
        return {"number": 1}, 201

    expose(app, "Figures", CollectorRegistry())
    publish(app, "Example", Lively, lambda: {"pulse": 60})
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_health_is_open_and_has_the_state(client: FlaskClient) -> None:
    answer = client.get("/health", environ_base=REMOTE)
    expected = {"status": "ok", "certificate_warning": None, "pulse": 60}
    assert (answer.status_code, answer.json) == (200, expected)
    assert answer.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("left", "warned"),
    [(31 * DAY, None), (30 * DAY, "ends in 29 days, on "), (-DAY, "ended on ")],
)
def test_the_end_of_a_certificate_is_told_and_the_service_still_serves(
    app: Flask, client: FlaskClient, tmp_path: Path, left: timedelta, warned: str | None
) -> None:
    certificate, _ = Authority(tmp_path).certify("one", "192.0.2.1", end=NOW + left)
    shown.show(app, read(certificate))
    answer = client.get("/health", environ_base=REMOTE)
    assert answer.status_code == 200 and answer.json is not None
    date = f"{NOW + left:%Y-%m-%d %H:%M} UTC"
    expected = None if warned is None else f"the certificate of one {warned}{date}"
    assert answer.json["certificate_warning"] == expected
    figures = client.get("/metrics", headers=BEARER).text
    end = next(line for line in figures.splitlines() if line.startswith("nrs_certificate_end"))
    assert float(end.split()[1]) == int((NOW + left).timestamp())
    shown.show(app, None)
    assert "nrs_certificate_end_seconds" not in client.get("/metrics", headers=BEARER).text


def test_the_document_needs_the_token(client: FlaskClient) -> None:
    assert client.get("/openapi.json", environ_base=REMOTE).status_code == 401
    answer = client.get("/openapi.json", headers=BEARER)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json is not None
    assert answer.json["info"] == {"title": "Example", "version": nrs.__version__}
    assert answer.json["paths"].keys() == {"/thing/{thing}", "/health", "/metrics", "/revocations"}
    assert answer.json["paths"]["/health"]["get"]["security"] == []
    responses = answer.json["paths"]["/thing/{thing}"]["put"]["responses"]
    assert responses.keys() == {"200", "201", "400", "401", "403", "404", "421", "500"}
    assert responses["201"]["content"] == responses["200"]["content"]


def test_what_a_view_raises_is_answered_and_told(client: FlaskClient, refused: list[int]) -> None:
    answer = client.put("/thing/gone", headers=BEARER)
    assert answer.status_code == 404
    assert answer.json == {"error": "it has gone", "field": "thing"}
    assert refused == [404]
