"""Events of devices: posted, kept and read over the API."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from nrs.api.messages import EventReport
from nrs.controller.events import MOST_KEPT, Events
from nrs.controller.registry import Registry
from tests.controller.conftest import Clock, endpoint, event


@pytest.fixture
def registered(client: FlaskClient) -> FlaskClient:
    """A client of a controller that knows endpoint_1 and endpoint_2."""
    for name in ("endpoint_1", "endpoint_2"):
        client.post("/register", json=endpoint(name))
    return client


def post(client: FlaskClient, *events: dict[str, Any], device_id: str = "endpoint_1") -> int:
    answer = client.post("/events", json={"device_id": device_id, "events": list(events)})
    assert answer.status_code == 200, answer.json
    assert answer.json is not None
    assert answer.json["device_id"] == device_id
    return int(answer.json["new"])


def read(client: FlaskClient, query: str = "") -> list[dict[str, Any]]:
    answer = client.get(f"/events{query}")
    assert answer.status_code == 200, answer.json
    return list((answer.json or {})["events"])


def numbers(client: FlaskClient, query: str = "?device_id=endpoint_1") -> list[int]:
    return [event["number"] for event in read(client, query)]


def test_an_event_is_told_as_it_was_posted(registered: FlaskClient, clock: Clock) -> None:
    assert registered.get("/events").json == {"timestamp": clock.now, "events": []}
    assert post(registered, event()) == 1
    assert read(registered) == [{"device_id": "endpoint_1", **event()}]
    first = event(2, before=None, gap_ms=None, rejected={}, evidence=[], resent=0, flows_moved=0)
    post(registered, first)
    assert read(registered)[1] == {"device_id": "endpoint_1", **first}


def test_what_is_repeated_is_kept_once(registered: FlaskClient) -> None:
    assert post(registered, event(1), event(2)) == 2
    assert post(registered, event(2), event(3), event(3), event(1)) == 1
    assert numbers(registered) == [1, 2, 3]
    assert post(registered) == 0


def test_what_is_repeated_at_once_is_kept_once(registered: FlaskClient, events: Events) -> None:
    report = EventReport.model_validate({"device_id": "endpoint_1", "events": [event()]})
    together = threading.Barrier(8)

    def record(_: int) -> int:
        together.wait()
        return events.record(report)

    with ThreadPoolExecutor(8) as executor:
        assert sorted(executor.map(record, range(8))) == [0] * 7 + [1]
    assert numbers(registered) == [1]


def test_a_device_that_lost_its_state_counts_from_1_again(registered: FlaskClient) -> None:
    post(registered, event(1), event(2))
    assert post(registered, event(1, when=1_900_000_000.5)) == 1
    assert numbers(registered) == [1, 2, 1]


def test_numbers_are_each_devices_own(registered: FlaskClient) -> None:
    post(registered, event(1))
    assert post(registered, event(1), device_id="endpoint_2") == 1
    assert [e["device_id"] for e in read(registered)] == ["endpoint_1", "endpoint_2"]
    assert [e["device_id"] for e in read(registered, "?device_id=endpoint_2")] == ["endpoint_2"]


def test_a_limit_leaves_the_newest_in_order(registered: FlaskClient) -> None:
    post(registered, *(event(n) for n in range(1, 121)))
    post(registered, event(7), device_id="endpoint_2")
    assert numbers(registered) == list(range(21, 121))
    assert numbers(registered, "?device_id=endpoint_1&limit=1") == [120]
    assert numbers(registered, "?limit=2") == [120, 7]
    assert len(numbers(registered, "?limit=1000")) == 121


@pytest.mark.parametrize("limit", ["0", "-1", "1001", "x", "", "1.5", "%D9%A1", "9" * 5000])
def test_a_limit_that_is_none_is_400(registered: FlaskClient, limit: str) -> None:
    answer = registered.get(f"/events?limit={limit}")
    assert answer.status_code == 400
    assert answer.json == {"error": "must be a number from 1 to 1000", "field": "limit"}


def test_the_last_thousand_of_each_device_are_kept(
    registered: FlaskClient, database_file: Path
) -> None:
    post(registered, event(1), device_id="endpoint_2")
    for first in range(1, MOST_KEPT, 100):
        post(registered, *(event(n) for n in range(first, first + 100)))
    assert numbers(registered, "?device_id=endpoint_1&limit=1000") == list(range(1, 1001))
    post(registered, *(event(n) for n in range(1001, 1006)))
    assert numbers(registered, "?device_id=endpoint_1&limit=1000") == list(range(6, 1006))
    assert numbers(registered, "?device_id=endpoint_2") == [1]
    with sqlite3.connect(database_file) as connection:
        rows = connection.execute("SELECT count(*) FROM events").fetchone()
    connection.close()
    assert rows == (1001,)


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("POST", "/events", {"device_id": "nobody", "events": [event()]}),
        ("POST", "/events", {"device_id": "nobody", "events": []}),
        ("GET", "/events?device_id=nobody", None),
    ],
)
def test_an_unknown_device_is_404(
    registered: FlaskClient, method: str, path: str, body: dict[str, Any] | None
) -> None:
    answer = registered.open(path, method=method, json=body)
    assert answer.status_code == 404
    assert answer.json is not None
    assert answer.json["field"] == "device_id"
    assert read(registered) == []


@pytest.mark.parametrize("device_id", ["", "%ff%00", "endpoint_1&device_id=endpoint_2"])
def test_what_is_no_name_is_400(registered: FlaskClient, device_id: str) -> None:
    answer = registered.get(f"/events?device_id={device_id}")
    assert answer.status_code == 400
    assert (answer.json or {})["field"] == "device_id"


def evidence(**fields: Any) -> list[dict[str, Any]]:
    return [{**event()["evidence"][0], **fields}]


BAD: list[tuple[dict[str, Any], str]] = [
    ({"number": 0}, "number"),
    ({"number": 1.0}, "number"),
    ({"number": 2**63}, "number"),
    ({"when": "now"}, "when"),
    ({"when": -1.0}, "when"),
    ({"before": "no name"}, "before"),
    ({"after": None}, "after"),
    ({"cause": ""}, "cause"),
    ({"cause": "x" * 257}, "cause"),
    ({"cause": "two\nlines"}, "cause"),
    ({"cause": "\x1b[31m"}, "cause"),
    ({"evidence": {}}, "evidence"),
    ({"evidence": evidence() * 65}, "evidence"),
    ({"evidence": evidence(state="UP\n")}, "evidence.0.state"),
    ({"evidence": evidence(rtt_ms=-1)}, "evidence.0.rtt_ms"),
    ({"evidence": evidence(loss=1.1)}, "evidence.0.loss"),
    ({"evidence": evidence(unanswered=True)}, "evidence.0.unanswered"),
    ({"evidence": evidence(draining=0)}, "evidence.0.draining"),
    ({"evidence": evidence(colour="red")}, "evidence.0.colour"),
    ({"rejected": {"router_3": "a\x00b"}}, "rejected.router_3"),
    ({"rejected": {"no name": "x"}}, "rejected.no name.[key]"),
    ({"rejected": {f"r{n}": "x" for n in range(65)}}, "rejected"),
    ({"resent": -1}, "resent"),
    ({"flows_moved": "3"}, "flows_moved"),
    ({"gap_ms": -0.5}, "gap_ms"),
    ({"colour": "red"}, "colour"),
]


@pytest.mark.parametrize(("fields", "field"), BAD)
def test_a_bad_event_is_400_and_none_of_its_request_is_kept(
    registered: FlaskClient, fields: dict[str, Any], field: str
) -> None:
    body = {"device_id": "endpoint_1", "events": [event(1), {**event(2), **fields}]}
    answer = registered.post("/events", json=body)
    assert answer.status_code == 400, answer.json
    assert (answer.json or {})["field"] == f"events.1.{field}"
    assert read(registered) == []


@pytest.mark.parametrize(
    ("body", "field"),
    [({}, "device_id"), ({"device_id": "endpoint_1"}, "events"), ({"events": []}, "device_id")],
)
def test_a_bad_report_is_400(registered: FlaskClient, body: dict[str, Any], field: str) -> None:
    answer = registered.post("/events", json=body)
    assert (answer.status_code, (answer.json or {})["field"]) == (400, field)


def test_long_silences_are_no_mistake(registered: FlaskClient) -> None:
    """A tunnel may have been down for weeks, whole numbers are numbers too."""
    assert post(registered, event(gap_ms=4_000_000_000, evidence=evidence(silent_ms=1e10))) == 1


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_the_token_is_asked_for(registered: FlaskClient, method: str) -> None:
    post(registered, event(1))
    body = {"device_id": "endpoint_1", "events": [event(2)]}
    wrong = {"Authorization": "Bearer " + "w" * 40}
    assert registered.open("/events", method=method, headers=wrong, json=body).status_code == 401
    del registered.environ_base["HTTP_AUTHORIZATION"]
    far = {"REMOTE_ADDR": "192.0.2.1"}
    answer = registered.open("/events", method=method, json=body, environ_overrides=far)
    assert answer.status_code == 401
    assert numbers(registered) == [1]


def test_events_outlive_a_restart(
    registered: FlaskClient,
    open_registry: Callable[..., Registry],
    client_of: Callable[[Registry], FlaskClient],
) -> None:
    post(registered, event(1))
    assert numbers(client_of(open_registry())) == [1]


THE_FIRST_RELEASES_TABLE = """
CREATE TABLE devices (
    device_id VARCHAR(64) NOT NULL, device_type VARCHAR(32) NOT NULL,
    name VARCHAR(128) NOT NULL, tun_ipv4 VARCHAR(15) NOT NULL, tun_ipv6 VARCHAR(39) NOT NULL,
    internal_ip VARCHAR(64), external_ip VARCHAR(64), port INTEGER, version VARCHAR(64),
    registered_at FLOAT NOT NULL, last_seen FLOAT NOT NULL, last_status TEXT,
    config_version INTEGER NOT NULL, config TEXT NOT NULL,
    PRIMARY KEY (device_id), UNIQUE (tun_ipv4), UNIQUE (tun_ipv6)
)
"""


def test_a_database_from_before_there_were_events_goes_on_working(
    database_file: Path,
    open_registry: Callable[..., Registry],
    request: pytest.FixtureRequest,
) -> None:
    with sqlite3.connect(database_file) as connection:
        connection.execute(THE_FIRST_RELEASES_TABLE)
        connection.execute(
            "INSERT INTO devices VALUES ('endpoint_1', 'network_access_endpoint', 'one',"
            " '10.10.100.9', 'fd00:100::9', NULL, NULL, NULL, '1.0.0', 1.0, 2.0, NULL, 3, '{}')"
        )
    connection.close()
    client = request.getfixturevalue("client_of")(open_registry())
    device = client.get("/device/endpoint_1").json
    assert (device["tun_ipv4"], device["config_version"]) == ("10.10.100.9", 3)
    assert post(client, event(1)) == 1
    assert numbers(client) == [1]


def test_a_failing_database_is_503_and_keeps_nothing(
    registered: FlaskClient, database_file: Path
) -> None:
    body = {"device_id": "endpoint_1", "events": [event(1)]}
    connection = sqlite3.connect(database_file)
    connection.execute("ALTER TABLE events RENAME TO away")
    assert registered.post("/events", json=body).status_code == 503
    connection.execute("ALTER TABLE away RENAME TO events")
    connection.close()
    assert read(registered) == []
