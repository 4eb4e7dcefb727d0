# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""What is taken for an agent's status on its control socket."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.nrs.network_routing.plugins.module_utils import _control

UNIT = "routing_server"
WAIT_S = 0.3
TUNNEL = {"endpoint_id": "endpoint_1", "up": True}
STATUS = {"release": "1.0.0", "files_not_in_force": ["/etc/psk"], "tunnels": [TUNNEL]}
Answer = Callable[[socket.socket], None]


@pytest.fixture
def answers(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Answer], None]]:
    """Has the agent answer one request so."""
    monkeypatch.setattr(_control, "_TIMEOUT_S", WAIT_S)
    threads: list[threading.Thread] = []
    with (
        tempfile.TemporaryDirectory(prefix="nrs-", dir="/tmp") as place,
        socket.socket(socket.AF_UNIX) as listening,
    ):
        monkeypatch.setenv("NRS_RUNTIME_DIRECTORY", place)
        listening.bind(str(Path(place) / (UNIT + ".sock")))
        listening.listen()

        def _serve(answer: Answer) -> None:
            agent, _address = listening.accept()
            with agent:
                agent.recv(1 << 16)
                try:
                    answer(agent)
                except OSError:
                    """Nobody listens any more."""

        def _start(answer: Answer) -> None:
            threads.append(threading.Thread(target=_serve, args=(answer,)))
            threads[-1].start()

        yield _start
        for thread in threads:
            thread.join(10)
            assert not thread.is_alive()


def _saying(result: Any) -> Answer:
    return lambda agent: agent.sendall(json.dumps({"result": result}).encode() + b"\n")


@pytest.mark.parametrize(
    "result",
    [STATUS, {}, {**STATUS, "reload_error": None}, {**STATUS, "tunnels": [{"router_id": "r"}]}],
)
def test_a_status_is_taken(answers: Callable[[Answer], None], result: Any) -> None:
    answers(_saying(result))
    assert _control.status(UNIT) == result


@pytest.mark.parametrize(
    "result",
    [
        None,
        [],
        {**STATUS, "release": 1},
        {**STATUS, "unit": None},
        {**STATUS, "files_not_in_force": "psk"},
        {**STATUS, "files_not_in_force": [1]},
        {**STATUS, "reloads": "3"},
        {**STATUS, "reload_error": ["x"]},
        {**STATUS, "restart_needed": "no"},
        {**STATUS, "tunnels": {}},
        {**STATUS, "tunnels": ["endpoint_1"]},
        {**STATUS, "tunnels": [{"up": True}]},
        {**STATUS, "tunnels": [{"endpoint_id": ["x"], "up": True}]},
    ],
)
def test_what_is_of_another_kind_is_no_status(
    answers: Callable[[Answer], None], result: Any
) -> None:
    answers(_saying(result))
    assert _control.status(UNIT) is None


def _drip(agent: socket.socket) -> None:
    for _number in range(200):
        agent.sendall(b" ")
        time.sleep(WAIT_S / 10)


def test_one_that_comes_byte_by_byte_is_not_waited_for(answers: Callable[[Answer], None]) -> None:
    answers(_drip)
    began = time.monotonic()
    assert _control.status(UNIT) is None
    assert time.monotonic() - began < 10 * WAIT_S


def test_one_without_an_end_is_not_kept(
    answers: Callable[[Answer], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_control, "_TIMEOUT_S", 60.0)
    monkeypatch.setattr(_control, "_LONGEST", 1 << 20)
    sent: list[int] = []

    def _pour(agent: socket.socket) -> None:
        for _number in range(1 << 10):
            sent.append(agent.send(b"x" * (1 << 16)))

    answers(_pour)
    assert _control.status(UNIT) is None
    assert sum(sent) < 8 << 20


@pytest.mark.parametrize("text", [b"", b"{", b"{}\n", b"[" * 100_000 + b"\n", b"\xff\n"])
def test_an_answer_that_is_none(answers: Callable[[Answer], None], text: bytes) -> None:
    answers(lambda agent: agent.sendall(text))
    assert _control.status(UNIT) is None


def test_nobody_is_there() -> None:
    assert _control.status("no_such_unit") is None
