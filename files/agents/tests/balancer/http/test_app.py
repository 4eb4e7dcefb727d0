from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
import requests
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from nrs.balancer.config import BusinessServer, LoadBalancerConfig
from nrs.balancer.http.app import create_app
from nrs.balancer.live import LiveBalancer
from tests.api.callers import shared
from tests.balancer.reports import WALL, fields
from tests.serving import TIMEOUT_S, serving

TOKEN = "d" * 32
BEARER = {"Authorization": f"Bearer {TOKEN}"}
JSON = {**BEARER, "Content-Type": "application/json"}
REMOTE = {"REMOTE_ADDR": "2001:db8::7"}
DECISION_FIELDS = [
    "optimal_router_id",
    "optimal_router_internal_ip",
    "optimal_router_external_ip",
    "business_server_ip",
    "score",
    "timestamp",
    "reason",
    "previous_router_id",
    "valid_until",
    "poll_after",
    "poll_at_least",
    "ranking",
]


@dataclass
class Clock:
    now: float = 0.0

    def monotonic(self) -> float:
        return self.now

    def wall(self) -> float:
        return WALL + self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def balancer(clock: Clock) -> LiveBalancer:
    config = LoadBalancerConfig(
        business_server=BusinessServer.model_validate({"ip": "198.51.100.10"})
    )
    return LiveBalancer(config, clock=clock.monotonic, wall_clock=clock.wall)


@pytest.fixture
def client(balancer: LiveBalancer) -> FlaskClient:
    return create_app(balancer, shared(TOKEN)).test_client()


def post(client: FlaskClient, router_id: str, load: float = 0.0, **changes: Any) -> None:
    answer = client.post("/metrics", json=fields(router_id, load, **changes), headers=BEARER)
    assert answer.status_code == 200, answer.json


def get(client: FlaskClient, path: str, status: int = 200) -> dict[str, Any]:
    answer = client.get(path, headers=BEARER)
    assert answer.status_code == status, answer.json
    assert isinstance(answer.json, dict)
    return answer.json


def refused(client: FlaskClient, body: Any, field: str | None) -> None:
    before = get(client, "/status")
    counted = before.pop("refused_reports")
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    answer = client.post("/metrics", data=raw, headers=JSON)
    assert answer.status_code == 400
    assert answer.json is not None
    assert answer.json.keys() == {"error", "field"}
    assert answer.json["error"]
    assert answer.json["field"] == field
    after = get(client, "/status")
    assert sum(after.pop("refused_reports").values()) == sum(counted.values()) + 1
    assert after == before


def test_a_report_is_taken(client: FlaskClient) -> None:
    answer = client.post("/metrics", json=fields("router_1", 0.25), headers=BEARER)
    assert answer.status_code == 200
    assert answer.json == {"status": "ok", "server_id": "router_1", "score": 0.75}


def test_a_decision_has_exactly_its_fields(client: FlaskClient, clock: Clock) -> None:
    post(client, "router_1", 0.5)
    post(client, "router_2", 0.25)
    clock.now = 7.5
    decision = get(client, "/decision/endpoint_1")
    assert list(decision) == DECISION_FIELDS
    poll_after = decision.pop("poll_after")
    assert 8 <= poll_after <= 12
    assert 0 <= decision.pop("poll_at_least") <= 0.001
    assert decision.pop("valid_until") == pytest.approx(WALL + 7.5 + 3 * poll_after, abs=0.01)
    ranking = decision.pop("ranking")
    assert [router["router_id"] for router in ranking] == ["router_2", "router_1"]
    assert ranking[0].pop("effective_score") <= 0.75
    assert ranking[0] == {
        "router_id": "router_2",
        "score": 0.75,
        "status": "active",
        "parts": {"cpu": 0.75, "memory": 0.75, "bandwidth": 0.75, "connections": 0.75},
    }
    assert decision == {
        "optimal_router_id": "router_2",
        "optimal_router_internal_ip": "10.0.0.2",
        "optimal_router_external_ip": "2001:db8::2",
        "business_server_ip": "198.51.100.10",
        "score": 0.75,
        "timestamp": WALL + 7.5,
        "reason": "the endpoint's first decision: the best score",
        "previous_router_id": None,
    }


def test_addresses_that_nobody_stated_are_null(clock: Clock) -> None:
    balancer = LiveBalancer(LoadBalancerConfig(), clock=clock.monotonic, wall_clock=clock.wall)
    client = create_app(balancer, shared(TOKEN)).test_client()
    post(client, "router_1", internal_ip=None, external_ip=None)
    decision = get(client, "/decision/endpoint_1")
    assert [decision[key] for key in DECISION_FIELDS[1:4]] == [None, None, None]


@pytest.mark.parametrize(
    ("query", "router_id"),
    [
        ("", "router_1"),
        ("?candidates=", "router_1"),
        ("?candidates=,", "router_1"),
        ("?candidates=router_2,router_3", "router_2"),
        ("?candidates=router_3", "router_3"),
        ("?candidates=router_3,%20router_2", "router_2"),
        ("?candidates=router_3%2Crouter_2", "router_2"),
        ("?candidates=router_3%2crouter_2", "router_2"),
        ("?candidates=router_9,router_3", "router_3"),
        ("?candidates=router_3&candidates=router_2", "router_2"),
        ("?other=1", "router_1"),
    ],
)
def test_candidates(client: FlaskClient, query: str, router_id: str) -> None:
    for number in (1, 2, 3):
        post(client, f"router_{number}", number / 10)
    assert get(client, f"/decision/endpoint_1{query}")["optimal_router_id"] == router_id


@pytest.mark.parametrize(
    "candidates", ["a%20b", "router_1,%00", "a/b", "-a", ",".join(f"r{n}" for n in range(65))]
)
def test_impossible_candidates(client: FlaskClient, candidates: str) -> None:
    post(client, "router_1")
    answer = get(client, f"/decision/endpoint_1?candidates={candidates}", 400)
    assert answer["field"] == "candidates"
    assert get(client, "/status")["active_decisions"] == 0


def test_what_an_endpoint_uses_and_carries_counts(client: FlaskClient) -> None:
    for number, load in ((1, 0.5), (2, 0.45)):
        post(client, f"router_{number}", load)
    decided = get(client, "/decision/a?current=router_1&mbps=0")
    assert decided["optimal_router_id"] == "router_2"
    for number in (3, 4):
        # As much as it carries is on its way to router_2, which has lost its lead.
        decided = get(client, f"/decision/{number}?current=router_1&mbps=400")
        assert decided["optimal_router_id"] == "router_1"


@pytest.mark.parametrize("mbps", ["x", "-1", "nan", "inf", "1e10"])
def test_impossible_traffic(client: FlaskClient, mbps: str) -> None:
    post(client, "router_1")
    answer = get(client, f"/decision/endpoint_1?mbps={mbps}", 400)
    assert answer["field"] == "mbps"
    assert get(client, "/decision/endpoint_1?mbps=")["optimal_router_id"] == "router_1"


def test_an_impossible_present_router(client: FlaskClient) -> None:
    post(client, "router_1")
    assert get(client, "/decision/endpoint_1?current=a%20b", 400)["field"] == "current"


@pytest.mark.parametrize("endpoint_id", ["a%20b", "-a", "a" * 65, "%F0%28", "%00", "a%0a", "..a"])
def test_an_impossible_endpoint_id(client: FlaskClient, endpoint_id: str) -> None:
    post(client, "router_1")
    answer = get(client, f"/decision/{endpoint_id}", 400)
    assert answer["field"] == "endpoint_id"
    assert "1 to 64 letters" in answer["error"]
    assert get(client, "/status")["active_decisions"] == 0


def test_no_usable_router_answers_503_with_the_reason(client: FlaskClient, clock: Clock) -> None:
    assert get(client, "/decision/a", 503)["error"] == "no routing server has reported yet"
    post(client, "router_1")
    answer = get(client, "/decision/a?candidates=router_2", 503)
    assert "router_2" in answer["error"]
    clock.now = 31.0
    answer = get(client, "/decision/a", 503)
    assert answer == {
        "error": "no routing server is active; without a report: router_1 for 31 s",
        "field": None,
    }


def test_the_anti_flap_rule_holds_over_http(client: FlaskClient, clock: Clock) -> None:
    def decided() -> str:
        router_id = get(client, "/decision/endpoint_1")["optimal_router_id"]
        assert isinstance(router_id, str)
        return router_id

    post(client, "router_1", 0.2)
    post(client, "router_2", 0.5)
    assert decided() == "router_1"
    clock.now = 20.0
    post(client, "router_1", 0.9, timestamp=clock.wall())
    post(client, "router_2", 0.1, timestamp=clock.wall())
    assert decided() == "router_1"
    clock.now = 30.0
    assert decided() == "router_2"
    clock.now = 51.0
    assert get(client, "/decision/endpoint_1", 503)["error"].startswith("no routing server is")


def test_status(client: FlaskClient, clock: Clock) -> None:
    post(client, "router_2", 0.25)
    clock.now = 20.0
    post(client, "router_1", 0.5, timestamp=clock.wall(), active_tunnels=7)
    get(client, "/decision/endpoint_1")
    get(client, "/decision/endpoint_2")
    get(client, "/decision/endpoint_1")
    clock.now = 30.0
    status = get(client, "/status")
    servers = status.pop("servers")
    assert status == {
        "timestamp": WALL + 30,
        "total_servers": 2,
        "active_servers": 1,
        "active_decisions": 2,
        "refused_reports": {},
    }
    assert servers[0] == {
        "server_id": "router_1",
        "server_name": "Router 1",
        "status": "active",
        "state": "active",
        "reason": None,
        "cpu_percent": 50.0,
        "memory_percent": 50.0,
        "bandwidth_mbps": 500.0,
        "active_tunnels": 7,
        "score": 0.586,
    }
    assert (servers[1]["server_id"], servers[1]["status"]) == ("router_2", "inactive")
    assert servers[1]["reason"] == "no report for 30 s"
    clock.now = 320.0
    assert get(client, "/status")["active_decisions"] == 0


def test_an_empty_status(client: FlaskClient) -> None:
    assert get(client, "/status") == {
        "timestamp": WALL,
        "total_servers": 0,
        "active_servers": 0,
        "servers": [],
        "active_decisions": 0,
        "refused_reports": {},
    }


def test_health_is_open_to_all(client: FlaskClient) -> None:
    post(client, "router_1")
    answer = client.get("/health", environ_base=REMOTE)
    assert answer.status_code == 200
    assert answer.json == {
        "status": "ok",
        "certificate_warning": None,
        "reason": None,
        "total_servers": 1,
        "active_servers": 1,
        "shared_state": None,
    }


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"cpu_percent": 100.5}, "cpu_percent"),
        ({"cpu_percent": -1}, "cpu_percent"),
        ({"cpu_percent": float("nan")}, "cpu_percent"),
        ({"memory_percent": float("inf")}, "memory_percent"),
        ({"memory_percent": "50"}, "memory_percent"),
        ({"bandwidth_mbps": -0.5}, "bandwidth_mbps"),
        ({"active_tunnels": 1.5}, "active_tunnels"),
        ({"total_rx_packets": -1}, "total_rx_packets"),
        ({"timestamp": "2024-01-01T00:00:00Z"}, "timestamp"),
        ({"timestamp": WALL + 301}, "timestamp"),
        ({"timestamp": WALL - 1}, "timestamp"),
        ({"server_id": "../etc"}, "server_id"),
        ({"server_name": "\x1b]0;x"}, "server_name"),
        ({"server_name": "\ud800"}, "server_name"),
        ({"external_ip": "router.example"}, "external_ip"),
        ({"colour": "red"}, "colour"),
    ],
)
def test_an_impossible_report_changes_nothing(
    client: FlaskClient, changes: dict[str, Any], field: str
) -> None:
    post(client, "router_1", 0.5)
    refused(client, {**fields("router_1", 0.1), **changes}, field)


@pytest.mark.parametrize("missing", [key for key in fields("router_1") if key[-3:] != "_ip"])
def test_a_missing_figure(client: FlaskClient, missing: str) -> None:
    body = fields("router_1")
    del body[missing]
    refused(client, body, missing)


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b"\xff", b"[" * 60_000])
def test_what_is_no_json_object(client: FlaskClient, body: bytes) -> None:
    post(client, "router_1", 0.5)
    refused(client, body, None)


def test_a_figure_given_twice(client: FlaskClient) -> None:
    raw = json.dumps(fields("router_1"))
    refused(client, (raw[:-1] + ', "cpu_percent": 1}').encode(), "cpu_percent")


@given(
    body=st.dictionaries(
        st.sampled_from(list(fields("router_1"))),
        st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.lists(st.none()),
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_no_body_is_an_internal_error(client: FlaskClient, body: dict[str, Any]) -> None:
    raw = json.dumps({**fields("router_1"), **body})
    answer = client.post("/metrics", data=raw, headers=JSON)
    assert answer.status_code in {200, 400}
    if answer.status_code == 400:
        assert answer.json is not None
        assert answer.json["field"] in body


@pytest.mark.parametrize("authorization", [None, "Bearer " + "e" * 32, f"Basic {TOKEN}"])
@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("POST", "/metrics"),
        ("GET", "/decision/endpoint_2"),
        ("HEAD", "/decision/endpoint_2"),
        ("GET", "/status"),
    ],
)
def test_without_the_token_nothing_is_told_or_changed(
    client: FlaskClient, method: str, path: str, authorization: str | None
) -> None:
    post(client, "router_1", 0.5)
    before = get(client, "/status")
    answer = client.open(
        path,
        method=method,
        json=fields("router_2") if method == "POST" else None,
        headers={"Authorization": authorization} if authorization else {},
        environ_base=REMOTE,
    )
    assert answer.status_code == 401
    after = get(client, "/status")
    forged = {"unauthorized": 1} if method == "POST" else {}
    assert after == {**before, "refused_reports": forged}


def test_loopback_reads_without_the_token(client: FlaskClient) -> None:
    post(client, "router_1")
    assert client.get("/status").status_code == 200
    assert client.get("/decision/endpoint_1").status_code == 200
    assert client.post("/metrics", json=fields("router_2")).status_code == 401


@pytest.fixture
def url(balancer: LiveBalancer) -> Iterator[str]:
    with serving(create_app(balancer, shared(TOKEN))) as port:
        yield f"http://127.0.0.1:{port}"


def test_over_a_socket(url: str) -> None:
    posted = requests.post(
        f"{url}/metrics", json=fields("router_1"), headers=BEARER, timeout=TIMEOUT_S
    )
    assert posted.status_code == 200
    decision = requests.get(f"{url}/decision/endpoint_1", timeout=TIMEOUT_S)
    assert decision.json()["optimal_router_id"] == "router_1"
    wrong = {"Authorization": "Bearer " + "e" * 32}
    assert requests.get(f"{url}/status", headers=wrong, timeout=TIMEOUT_S).status_code == 401


@pytest.mark.parametrize("size", [65_537, 200_000, 2_000_000])
def test_a_body_over_64_kb_over_a_socket(url: str, size: int) -> None:
    body = json.dumps(fields("router_1")).ljust(size)
    answer = requests.post(
        f"{url}/metrics",
        data=body,
        headers=JSON,
        timeout=TIMEOUT_S,
    )
    assert answer.status_code == 413
    assert answer.json()["error"] == "the body is larger than 65536 bytes"
    assert requests.get(f"{url}/status", timeout=TIMEOUT_S).json()["total_servers"] == 0


def test_many_at_once(url: str) -> None:
    failures: list[int] = []

    def endpoint(number: int) -> None:
        with requests.Session() as session:
            for turn in range(10):
                body = fields(f"router_{number}", turn / 20, timestamp=WALL + turn)
                posted = session.post(
                    f"{url}/metrics", json=body, headers=BEARER, timeout=TIMEOUT_S
                )
                asked = session.get(
                    f"{url}/decision/endpoint_{number}", headers=BEARER, timeout=TIMEOUT_S
                )
                failures.extend(answer.status_code for answer in (posted, asked) if not answer.ok)

    threads = [threading.Thread(target=endpoint, args=(number,)) for number in range(1, 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(TIMEOUT_S)
    assert failures == []
    status = requests.get(f"{url}/status", timeout=TIMEOUT_S).json()
    assert (status["active_servers"], status["active_decisions"]) == (8, 8)
    assert [server["score"] for server in status["servers"]] == [0.55] * 8
