"""The published document, and requests made from it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from flask import Flask
from schemathesis import Case

from nrs.api.messages import EventReport, Registration
from nrs.controller.database import Database
from nrs.controller.events import Events
from nrs.controller.http.app import create_app
from nrs.controller.registry import Registry
from tests.api import schema
from tests.controller.conftest import Clock, configuration, endpoint, event


def app_over(database: Database) -> Flask:
    clock = Clock()
    registry = Registry(database, configuration(), clock)
    events = Events(database)
    registry.register(Registration.model_validate(endpoint()))
    events.record(EventReport.model_validate({"device_id": "endpoint_1", "events": [event()]}))
    return create_app(schema.trust(), registry, events, clock)


published = schema.published(app_over(Database("sqlite://")))  # in memory, this thread's own


@pytest.fixture
def app() -> Iterator[Flask]:
    database = Database("sqlite://")
    yield app_over(database)
    database.close()


@published.parametrize()
@schema.requests
def test_conforms(case: Case) -> None:
    schema.conforms(case)


def test_every_route_is_described(app: Flask) -> None:
    schema.every_route_is_described(app)


def test_a_new_device_is_described_as_201(app: Flask) -> None:
    document = app.test_client().get("/openapi.json", headers=schema.BEARER).json
    assert document is not None
    assert {"200", "201", "409", "503"} <= document["paths"]["/register"]["post"][
        "responses"
    ].keys()
