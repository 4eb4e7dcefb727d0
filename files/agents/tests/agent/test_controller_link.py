from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nrs.agent.controller_link import ControllerLink
from nrs.api.client import ApiClient
from nrs.api.messages import DeviceStatus
from nrs.endpoint.reporter import EndpointWork
from nrs.system import control

WORK: dict[str, Any] = {
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
STATUS = {
    "tunnels": [],
    "config_version": 0,
    "config_error": None,
    "revocations": 4,
    "revocations_age_s": 7.5,
}
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


@pytest.mark.parametrize("answering", [set(), set(WORK["controller"]["url"])], ids=str)
def test_the_list_is_told_to_who_answers_what_is_revoked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answering: set[str]
) -> None:
    posted: dict[str, Any] = {}
    monkeypatch.setattr(control, "request", lambda *_: {**STATUS, "put_back": 0, "not_kept": 0})
    monkeypatch.setattr(ApiClient, "post", lambda _, path, body: posted.update({path: body}) or {})
    ControllerLink(EndpointWork.model_validate(WORK), tmp_path, answering).exchange()
    told = {"revocations": 4, "revocations_age_s": 7.5} if answering else {}
    body = posted["/status"]
    assert {key: value for key, value in body.items() if key not in OLDER} == told


class Told:
    """What is said between a controller, the link and the agent, without any of the others."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, running: int) -> None:
        self.answer: Any = {}
        self.running = running
        self.refuses = False
        self.applied: list[int] = []
        self.posted: list[str] = []
        monkeypatch.setattr(control, "request", self._request)
        monkeypatch.setattr(ApiClient, "post", self._post)

    def _request(self, _: Path, command: str, **arguments: Any) -> dict[str, Any]:
        if command == "status":
            return {**STATUS, "put_back": 0, "not_kept": 0, "config_version": self.running}
        self.applied.append(arguments["version"])
        if not self.refuses:
            self.running = arguments["version"]
        return {"error": "no" if self.refuses else None}

    def _post(self, path: str, _: dict[str, Any]) -> Any:
        self.posted.append(path)
        return self.answer


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"version": 0, "config": {}}, "the network controller has nothing for this device"),
        ({"version": 4, "config": {"a": {}}}, "the network controller has only version 4"),
        ({"version": 6}, "answer is no configuration: config"),
        ({"version": 6, "config": None}, "answer is no configuration: config"),
        ({"version": 6, "config": []}, "answer is no configuration: config"),
        ({"config": {}}, "answer is no configuration: version"),
        ({"version": "6", "config": {}}, "answer is no configuration: version"),
        ({"version": -1, "config": {}}, "answer is no configuration: version"),
        ({}, "answer is no configuration: version, config"),
        ([], "answer is no configuration: all"),
        (None, "answer is no configuration: all"),
    ],
)
def test_what_is_pushed_is_not_taken_away_by_a_controller_that_has_less(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    answer: Any,
    why: str,
) -> None:
    told = Told(monkeypatch, running=5)
    link = ControllerLink(EndpointWork.model_validate(WORK), tmp_path)
    told.answer = answer
    for _ in range(3):
        link.exchange()
    assert told.applied == []
    assert told.posted == ["/register", *3 * ["/config", "/status"]], "it goes on telling"
    (line,) = [one for one in caplog.messages if "stays in force" in one]
    assert line.startswith("pushed configuration 5 stays in force: ")
    assert line.endswith(why)
    told.answer = {"version": 6, "config": {}, "device_id": "endpoint_1", "more": 1}
    link.exchange()
    assert told.applied == [6], "nothing, where a later version says so"


def test_a_refused_version_is_tried_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    told = Told(monkeypatch, running=5)
    link = ControllerLink(EndpointWork.model_validate(WORK), tmp_path)
    told.answer, told.refuses = {"version": 6, "config": {}}, True
    link.exchange()
    link.exchange()
    told.answer = {"version": 7, "config": {}}
    link.exchange()
    assert told.applied == [6, 7]
