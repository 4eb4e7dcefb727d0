from __future__ import annotations

from prometheus_client.parser import text_string_to_metric_families

from tests.balancer.reports import fields
from tests.balancer.served import BEARER, Served


def scraped(served: Served) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    answer = served.client.get("/metrics", headers=BEARER)
    assert answer.status_code == 200
    assert answer.content_type.startswith("text/plain; version=")
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(answer.text)
        for sample in family.samples
    }


def value(served: Served, name: str, **labels: str) -> float | None:
    return scraped(served).get((name, frozenset(labels.items())))


def test_routers_and_decisions() -> None:
    served = Served()
    served.report("router_1", 0.25)
    more = {"put_back": 7, "not_kept": 1, "revocations": 4, "revocations_age_s": 7.5}
    served.report("router_2", 0.5, draining=True, **more)
    served.asked("get", "/decision/endpoint_1")
    served.asked("get", "/decision/endpoint_2")
    assert value(served, "nrs_router_score", router="router_1") == 0.75
    assert value(served, "nrs_router_bandwidth_mbps", router="router_2") == 500.0
    assert value(served, "nrs_router_status", router="router_2", status="draining") == 1.0
    assert value(served, "nrs_router_status", router="router_2", status="active") == 0.0
    assert value(served, "nrs_router_put_back", router="router_2") == 7.0
    assert value(served, "nrs_router_not_kept", router="router_2") == 1.0
    assert value(served, "nrs_router_not_kept", router="router_1") == 0.0
    assert value(served, "nrs_router_revocations", router="router_2") == 4
    assert value(served, "nrs_router_revocations_age_seconds", router="router_2") == 7.5
    assert value(served, "nrs_router_revocations", router="router_1") is None
    assert value(served, "nrs_router_revocations_age_seconds", router="router_1") is None
    assert value(served, "nrs_endpoints") == 2.0
    assert value(served, "nrs_decisions_total", reason="first") == 2.0
    assert value(served, "nrs_moves_total") == 0.0
    served.asked("put", "/servers/router_1/state", {"state": "disabled"})
    served.asked("get", "/decision/endpoint_1")
    assert value(served, "nrs_moves_total") == 1.0
    assert value(served, "nrs_decisions_total", reason="router_lost") == 1.0


def test_refused_reports_are_counted_by_kind() -> None:
    served = Served()
    served.report("router_1", 0.25)
    body = fields("router_1")
    before = served.asked("get", "/status")["servers"]
    for change in ({"timestamp": body["timestamp"] - 1}, {"timestamp": body["timestamp"] + 999}):
        served.asked("post", "/metrics", {**body, **change}, status=400)
    served.asked("post", "/metrics", {**body, "cpu_percent": -1}, status=400)
    wrong = {"Authorization": "Bearer " + "e" * 32}
    assert served.client.post("/metrics", json=body, headers=wrong).status_code == 401
    assert served.client.put("/algorithm", json={}, headers=wrong).status_code == 401
    status = served.asked("get", "/status")
    assert status["servers"] == before
    assert status["refused_reports"] == {
        "older": 1,
        "future": 1,
        "malformed": 1,
        "unauthorized": 1,
    }
    for kind in ("older", "future", "malformed", "unauthorized"):
        assert value(served, "nrs_reports_refused_total", kind=kind) == 1.0
    assert value(served, "nrs_reports_total") == 1.0


def test_no_label_names_an_endpoint() -> None:
    served = Served()
    served.report("router_1")
    for number in range(50):
        served.asked("get", f"/decision/endpoint_{number}")
    names = {label for _, labels in scraped(served) for label in labels}
    assert not any("endpoint_" in text for _, text in names)
    assert {name for name, _ in names} <= {"router", "status", "reason", "kind"}


def test_it_needs_a_token_from_afar() -> None:
    answer = Served().client.get("/metrics", environ_base={"REMOTE_ADDR": "2001:db8::7"})
    assert answer.status_code == 401
