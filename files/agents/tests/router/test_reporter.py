from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from nrs.api.client import ApiClient
from nrs.api.messages import MetricsReport
from nrs.config.loader import load
from nrs.router.config import RoutingServerConfig
from nrs.router.reporter import MetricsReporter, RouterWork
from nrs.router.work import work_of
from nrs.system import control
from tests.config.test_files import ROUTING_SERVER

FIGURES = {
    "active_tunnels": 0,
    "total_rx_packets": 0,
    "total_tx_packets": 0,
    "rx_bytes": 0,
    "tx_bytes": 0,
    "put_back": 0,
    "not_kept": 0,
    "revocations": 4,
    "revocations_age_s": 7.5,
}
OLDER = {
    "server_id",
    "server_name",
    "timestamp",
    "cpu_percent",
    "memory_percent",
    "bandwidth_mbps",
    "active_tunnels",
    "total_rx_packets",
    "total_tx_packets",
    "internal_ip",
    "external_ip",
}


def work(file: Path) -> RouterWork:
    """What the companion of a router with this file is given."""
    text = json.dumps(work_of(load(file, RoutingServerConfig)))
    return RouterWork.model_validate_json(text)


@pytest.mark.parametrize(
    ("state", "further"),
    [
        ({"egress_up": True, "draining": False}, {}),
        ({"egress_up": False, "draining": False}, {"egress_up": False}),
        ({"egress_up": True, "draining": True}, {"draining": True}),
        (
            {"egress_up": True, "draining": False, "put_back": 7, "not_kept": 1},
            {"put_back": 7, "not_kept": 1},
        ),
    ],
)
def test_only_what_is_out_of_the_usual_is_more_than_an_older_load_balancer_knows(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    state: dict[str, Any],
    further: dict[str, Any],
) -> None:
    posted: list[dict[str, Any]] = []

    def post_to_all(
        _: ApiClient, path: str, body: dict[str, Any], more: dict[str, dict[str, Any]]
    ) -> dict[str, str]:
        assert more == {}
        assert path == "/metrics"
        posted.append(body)
        return {}

    monkeypatch.setattr(control, "request", lambda *_: {**FIGURES, **state})
    monkeypatch.setattr(ApiClient, "post_to_all", post_to_all)
    file = tmp_path / "routing_server.yaml"
    file.write_text(ROUTING_SERVER, encoding="utf-8")
    MetricsReporter(work(file), tmp_path).report()
    (body,) = posted
    assert {key: value for key, value in body.items() if key not in OLDER} == further
    assert body.keys() >= OLDER
    report = MetricsReport.model_validate(body)
    assert (report.egress_up, report.draining) == (state["egress_up"], state["draining"])


def test_capacities_are_reported_where_they_are_configured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted: list[dict[str, Any]] = []

    def post_to_all(
        _: ApiClient, path: str, body: dict[str, Any], more: dict[str, dict[str, Any]]
    ) -> dict[str, str]:
        assert more == {}
        posted.append(body)
        return {}

    figures = {**FIGURES, "egress_up": True, "draining": False}
    monkeypatch.setattr(control, "request", lambda *_: figures)
    monkeypatch.setattr(ApiClient, "post_to_all", post_to_all)
    file = tmp_path / "routing_server.yaml"
    capacities = "metrics: {max_bandwidth_mbps: 2500, max_connections: 400, "
    file.write_text(ROUTING_SERVER.replace("metrics: {", capacities), encoding="utf-8")
    MetricsReporter(work(file), tmp_path).report()
    (body,) = posted
    assert (body["max_bandwidth_mbps"], body["max_connections"]) == (2500.0, 400)


def test_the_list_is_told_to_those_who_answer_what_is_revoked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    posted: list[dict[str, dict[str, Any]]] = []
    figures = {**FIGURES, "egress_up": True, "draining": False}
    monkeypatch.setattr(control, "request", lambda *_: figures)
    monkeypatch.setattr(
        ApiClient, "post_to_all", lambda _self, _path, _body, more: posted.append(more) or {}
    )
    file = tmp_path / "routing_server.yaml"
    file.write_text(ROUTING_SERVER, encoding="utf-8")
    answering: set[str] = set()
    reporter = MetricsReporter(work(file), tmp_path, answering)
    reporter.report()
    answering.add("http://192.0.2.1:8080")
    reporter.report()
    told = {"revocations": 4, "revocations_age_s": 7.5}
    assert posted == [{}, {"http://192.0.2.1:8080": told}]
