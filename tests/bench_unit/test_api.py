"""The benchmark of the APIs' server: what is made of the answers."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from bench.api import figures, servers
from bench.api.figures import Figures
from bench.balancer.load import Answers, Client
from bench.balancer.server import Server
from testbed import proc
from testbed.failed import Failed

GOOD = Answers(1000.0, 5.0, 10.0, 0, 0.1, 300.0)
FIGURES = Figures(
    hello=replace(GOOD, per_second=1400.0),
    decision=GOOD,
    waitress=replace(GOOD, per_second=900.0),
    honest={"nobody": GOOD, "many": replace(GOOD, p99_ms=200.0)},
    idle_mb=200.0,
    idle=10_000,
)


def test_each_promise_can_be_missed_alone() -> None:
    def missed(of: Figures) -> list[str]:
        return [target.text for target in figures.targets(of) if not target.met]

    assert missed(FIGURES) == []
    quick = replace(GOOD, per_second=1500.0)
    assert missed(replace(FIGURES, hello=quick)) == ["decisions / hello"]
    assert missed(replace(FIGURES, waitress=quick)) == ["decisions / waitress's, plain"]
    late = {**FIGURES.honest, "few": replace(GOOD, p99_ms=251.0)}
    assert missed(replace(FIGURES, honest=late)) == ["p99 of honest clients, ms"]


def test_the_last_line_has_the_worst_of_the_attacks() -> None:
    assert figures.summary(FIGURES) == {
        "decision_rps": 1000.0,
        "hello_rps": 1400.0,
        "honest_p99_ms": 200.0,
        "idle_10000_mb": 200.0,
    }
    assert [len(row) for row in figures.rows(FIGURES)] == [6] * 6


@pytest.mark.parametrize(
    ("keep", "tls", "words"),
    [(True, True, ["keep", "tls"]), (False, False, ["close", "plain"])],
)
def test_the_words_of_the_load_generator(keep: bool, tls: bool, words: list[str]) -> None:
    client = Client(Path("/http_load"), Server(1, 2), keep, tls)
    command = client.command(Path("/requests"), 16, 2.0, 0)
    assert command[3:] == ["/http_load", "2", "/requests", "16", "2.0", "0", *words]


def test_every_way_is_asked_in_turn_and_a_failure_is_a_dash(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[tuple[int, str, bool]] = []

    def ask(self: Client, requests: Path, **_: Any) -> Answers:
        asked.append((self.server.port, requests.name, self.keep))
        if self.server.port == 2:
            raise Failed("no answer")
        return GOOD

    def start(name: str, *, tls: bool) -> Any:
        server = Server(1, 2 if (name, tls) == ("gevent", True) else 1)
        return nullcontext((server, Client(Path("/http_load"), server, True, tls)))

    monkeypatch.setattr(Client, "ask", ask)
    monkeypatch.setattr(proc, "resident_mb", lambda *_, **__: 70.0)
    options: Any = SimpleNamespace(rounds=2, seconds=1)
    rows = servers.compare(start, Path("/hello"), Path("/decision"), options)
    started = 2 * len(servers.RIVALS) - 1
    assert len(rows) == 1 + 2 * started
    assert len(asked) == 2 * 2 * 2 * started
    half = len(asked) // 2
    assert asked[:half] == asked[half:]
    dashes = [row[:2] for row in rows if "-" in row]
    assert dashes == [[servers.RIVALS["gevent"], f"TLS, {how}"] for how in ("kept", "one each")]
