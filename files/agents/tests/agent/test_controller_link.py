from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nrs.agent.controller_link import ControllerLink
from nrs.api.client import ApiClient
from nrs.api.messages import DeviceStatus
from nrs.endpoint.reporter import EndpointWork
from nrs.system import control

WORK = {
    "tokens": {"http://192.0.2.1:8080": "t" * 40},
    "log_file": None,
    "registration": {
        "device_id": "endpoint_1",
        "device_type": "network_access_endpoint",
        "name": "one",
    },
    "controller": {"url": ["http://192.0.2.1:8090"]},
    "load_balancer": {"url": ["http://192.0.2.1:8080"]},
    "candidates": [],
}
STATUS = {"tunnels": [], "config_version": 0, "config_error": None}
OLDER = {"device_id", "timestamp"}
"""Without which no controller has ever taken a status."""


@pytest.mark.parametrize(
    ("upkeep", "told"),
    [
        ({"put_back": 0, "not_kept": 0}, {}),
        ({"put_back": 3, "not_kept": 1}, {"put_back": 3, "not_kept": 1}),
    ],
)
def test_what_was_put_back_is_told_where_something_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, upkeep: dict[str, int], told: dict[str, int]
) -> None:
    posted: dict[str, Any] = {}

    def post(_: ApiClient, path: str, body: dict[str, Any]) -> dict[str, Any]:
        posted[path] = body
        return {"version": 0, "config": {}}

    monkeypatch.setattr(control, "request", lambda *_: {**STATUS, **upkeep})
    monkeypatch.setattr(ApiClient, "post", post)
    ControllerLink(EndpointWork.model_validate(WORK), tmp_path).exchange()
    assert posted["/register"] == WORK["registration"], "what an older controller knows"
    body = posted["/status"]
    assert {key: value for key, value in body.items() if key not in OLDER} == told
    assert DeviceStatus.model_validate(body).not_kept == upkeep["not_kept"]
