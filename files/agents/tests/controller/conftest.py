"""A registry on a real SQLite file, its API, and a clock that only moves when told."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from nrs.config.loader import build
from nrs.controller.config import NetworkControllerConfig
from nrs.controller.database import Database
from nrs.controller.events import Events
from nrs.controller.http.app import create_app
from nrs.controller.registry import Registry
from tests.api.callers import shared
from tests.api.declared import held_to_its_word

TOKEN = "t" * 40


class Clock:
    def __init__(self) -> None:
        self.now = 1_800_000_000.0

    def __call__(self) -> float:
        return self.now


def configuration(**pools: dict[str, Any]) -> NetworkControllerConfig:
    data = {"ip_allocation": pools}
    return build(data, NetworkControllerConfig, "test.yaml")


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def database_file(tmp_path: Path) -> Path:
    return tmp_path / "registry.sqlite3"


@pytest.fixture
def open_registry(database_file: Path, clock: Clock) -> Iterator[Callable[..., Registry]]:
    """Opens registries on the one file, each as another start of the agent would."""
    opened: list[Registry] = []

    def opener(**pools: dict[str, Any]) -> Registry:
        database = Database(f"sqlite:///{database_file}")
        opened.append(Registry(database, configuration(**pools), clock))
        return opened[-1]

    yield opener
    for registry in opened:
        registry.close()


@pytest.fixture
def events(database_file: Path) -> Iterator[Events]:
    database = Database(f"sqlite:///{database_file}")
    yield Events(database)
    database.close()


@pytest.fixture
def client_of(clock: Clock, events: Events) -> Callable[[Registry], FlaskClient]:
    """A client of the API over a registry that states the right token."""

    def client(registry: Registry) -> FlaskClient:
        app = create_app(shared(TOKEN), registry, events, clock)
        made = held_to_its_word(app).test_client()
        made.environ_base["HTTP_AUTHORIZATION"] = f"Bearer {TOKEN}"
        return made

    return client


@pytest.fixture
def client(
    open_registry: Callable[..., Registry], client_of: Callable[[Registry], FlaskClient]
) -> FlaskClient:
    return client_of(open_registry())


def endpoint(device_id: str = "endpoint_1", **fields: Any) -> dict[str, Any]:
    return {
        "device_id": device_id,
        "device_type": "network_access_endpoint",
        "name": f"name of {device_id}",
        **fields,
    }


def router(device_id: str = "router_1", **fields: Any) -> dict[str, Any]:
    return {**endpoint(device_id, **fields), "device_type": "routing_server"}


def status(device_id: str, *tunnels: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"device_id": device_id, "timestamp": 1.0, "tunnels": list(tunnels), **fields}


def tunnel(peer_id: str, **fields: Any) -> dict[str, Any]:
    return {"peer_id": peer_id, "up": True, "active": True, "rtt_ms": 0.5, "since": 7.0, **fields}


def event(number: int = 1, **fields: Any) -> dict[str, Any]:
    """A switch as an endpoint posts it."""
    evidence = {
        "router_id": "router_1",
        "state": "suspect",
        "rtt_ms": 0.6,
        "loss": 0.25,
        "unanswered": 3,
        "silent_ms": 43.5,
        "draining": False,
        "egress_up": True,
        "held_down": False,
    }
    return {
        "number": number,
        "when": 1_800_000_000.25 + number,
        "before": "router_1",
        "after": "router_2",
        "cause": "router_1 does not answer",
        "evidence": [evidence],
        "rejected": {"router_3": "held down"},
        "resent": 12,
        "flows_moved": 3,
        "gap_ms": 44.5,
        **fields,
    }
