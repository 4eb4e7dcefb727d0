"""What every service says of itself, and how it answers what its views raise."""

from __future__ import annotations

from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

import nrs
from nrs.api import service
from nrs.api.answers import Answer, Health
from nrs.api.operation import Operation, takes
from nrs.api.published import publish
from nrs.api.service import ApiError
from tests.api.callers import shared

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

    publish(app, "Example", Lively, lambda: {"pulse": 60})
    return app


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


def test_health_is_open_and_has_the_state(client: FlaskClient) -> None:
    answer = client.get("/health", environ_base=REMOTE)
    assert (answer.status_code, answer.json) == (200, {"status": "ok", "pulse": 60})
    assert answer.headers["Cache-Control"] == "no-store"


def test_the_document_needs_the_token(client: FlaskClient) -> None:
    assert client.get("/openapi.json", environ_base=REMOTE).status_code == 401
    answer = client.get("/openapi.json", headers=BEARER)
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.json is not None
    assert answer.json["info"] == {"title": "Example", "version": nrs.__version__}
    assert answer.json["paths"].keys() == {"/thing/{thing}", "/health", "/revocations"}
    assert answer.json["paths"]["/health"]["get"]["security"] == []
    responses = answer.json["paths"]["/thing/{thing}"]["put"]["responses"]
    assert responses.keys() == {"200", "201", "400", "401", "403", "404", "421", "500"}
    assert responses["201"]["content"] == responses["200"]["content"]


def test_what_a_view_raises_is_answered_and_told(client: FlaskClient, refused: list[int]) -> None:
    answer = client.put("/thing/gone", headers=BEARER)
    assert answer.status_code == 404
    assert answer.json == {"error": "it has gone", "field": "thing"}
    assert refused == [404]
