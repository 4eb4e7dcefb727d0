from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from nrs.api.client import ApiClient
from nrs.config.loader import load
from nrs.endpoint.config import NetworkAccessEndpointConfig
from nrs.endpoint.reporter import Adviser
from nrs.system import control
from tests.config.test_files import ENDPOINT


def test_an_endpoint_says_what_it_has_carried_since_it_last_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now, counted, asked = 100.0, 0, []

    def request(_: Path, command: str, **arguments: Any) -> dict[str, int]:
        return {"rx_bytes": counted, "tx_bytes": 0} if command == "traffic" else arguments

    def get(_: ApiClient, path: str, query: dict[str, str]) -> dict[str, Any]:
        asked.append(query)
        return {"optimal_router_id": "router_1", "score": 0.5, "timestamp": 1.0}

    monkeypatch.setattr(control, "request", request)
    monkeypatch.setattr(ApiClient, "get", get)
    monkeypatch.setattr(time, "monotonic", lambda: now)
    file = tmp_path / "network_access_endpoint.yaml"
    file.write_text(ENDPOINT, encoding="utf-8")
    adviser = Adviser(load(file, NetworkAccessEndpointConfig), tmp_path)
    adviser.poll()
    now, counted = 110.0, 12_500_000
    adviser.poll()
    assert [query.get("mbps") for query in asked] == [None, "10.000"]
