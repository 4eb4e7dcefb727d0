"""Where a device's companion hears what is revoked."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, jsonify, request
from testbed.ports import free_port

from nrs.agent.revocation_sources import RevocationService, RevocationWatch
from nrs.system.control import ControlThread
from tests.serving import serving


class Agent:
    """Takes what its companion hands over, at a control socket."""

    def __init__(self, directory: Path) -> None:
        self.socket = directory / "control.sock"
        self.handed: list[dict[str, Any]] = []
        self.answer = {"number": 4, "error": None}
        self._thread = ControlThread(self.socket, {"revocations": self._take})
        self._thread.start()

    def _take(self, told: dict[str, Any]) -> dict[str, Any]:
        self.handed.append({key: value for key, value in told.items() if key != "command"})
        return self.answer

    def stop(self) -> None:
        self._thread.stop()


@pytest.fixture
def agent(tmp_path: Path) -> Iterator[Agent]:
    made = Agent(tmp_path)
    yield made
    made.stop()


def test_what_a_service_answers_is_handed_over(agent: Agent) -> None:
    app, asked = Flask("service"), []

    @app.get("/revocations")
    def revocations() -> Any:
        asked.append(request.args["after"])
        return jsonify({"number": 4, "revocations": "L" * 900_000, "besides": ["x"]})

    answering: set[str] = set()
    with serving(app) as port:
        url = f"http://127.0.0.1:{port}"
        source = RevocationService(url, {}, None, agent.socket, 2.0, answering)
        source.ask()
        source.ask()
        assert answering == {url}
    assert asked == ["0", "4"], "the agent's number"
    assert agent.handed[0] == {"text": "L" * 900_000, "number": 4, "besides": ["x"]}
    source.ask()
    assert answering == set()


def test_a_list_that_the_agent_refuses_is_told_once(
    agent: Agent, caplog: pytest.LogCaptureFixture
) -> None:
    app = Flask("service")
    answer = {"number": 9, "revocations": "x", "besides": []}
    app.add_url_rule("/revocations", view_func=lambda: jsonify(answer))
    agent.answer = {"number": 4, "error": "not signed by this deployment"}
    with serving(app) as port:
        url = f"http://127.0.0.1:{port}"
        source = RevocationService(url, {}, None, agent.socket, 2.0, set())
        source.ask()
        source.ask()
        agent.stop()
        source.ask()
    told = [r.message for r in caplog.records if r.name.startswith("nrs.agent")]
    assert told == [f"no list of revocations from {url}: not signed by this deployment"]


def test_an_older_service_is_told_once(agent: Agent, caplog: pytest.LogCaptureFixture) -> None:
    app = Flask("service")
    app.add_url_rule("/revocations", view_func=lambda: (jsonify({"error": "you may not"}), 403))
    answering = {"x"}
    with serving(app) as port:
        url = f"http://127.0.0.1:{port}"
        source = RevocationService(url, {}, None, agent.socket, 2.0, answering)
        source.ask()
        source.ask()
    assert caplog.text.count("answered 403: you may not") == 1
    assert (agent.handed, answering) == ([], {"x"})


def test_nobody_there(agent: Agent) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    RevocationService(url, {}, None, agent.socket, 2.0, set()).ask()
    assert agent.handed == []


def test_a_file_is_handed_over_whenever_it_changes(
    agent: Agent, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING)
    path = tmp_path / "revocations"
    watch = RevocationWatch(path, agent.socket)
    watch.look()
    path.write_text("first\n")
    watch.look()
    watch.look()
    assert agent.handed == [{"text": "first"}]
    agent.answer = {"number": 4, "error": "damaged"}
    written = path.with_suffix(".new")
    written.write_text("other\n")
    written.replace(path)
    watch.look()
    watch.look()
    assert agent.handed == [{"text": "first"}, {"text": "other"}]
    assert caplog.messages == [f"{path} is not taken: damaged"]
    path.unlink()
    watch.look()
    agent.answer = {"number": 5, "error": None}
    path.write_text("other\n")
    watch.look()
    assert len(agent.handed) == 3, "it is another file"


def test_a_file_is_handed_over_once_the_agent_answers(tmp_path: Path) -> None:
    path = tmp_path / "revocations"
    path.write_text(json.dumps({}))
    watch = RevocationWatch(path, tmp_path / "control.sock")
    watch.look()
    agent = Agent(tmp_path)
    watch.look()
    assert agent.handed == [{"text": "{}"}]
    agent.stop()
