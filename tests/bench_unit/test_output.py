"""What each part prints: a table, the same for a document where asked for, and JSON at the end."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

from bench import agents, balance_quality, sessions, tunnel
from bench.api import part as api
from bench.api.figures import Figures as ApiFigures
from bench.balance_quality import Quality
from bench.balancer import part as balancer
from bench.balancer.figures import Figures
from bench.balancer.load import Answers
from bench.document import Origin
from bench.engines.veth import Veth
from bench.failover import part as failover
from bench.failover import starved
from bench.failover.summary import Trial
from bench.failover.trace import Outage
from bench.machine import Watch
from bench.router_rate import Rate
from bench.sample import Sample
from bench.settings import Places
from bench.table import markdown, plain

ORIGIN = Origin("bin/bench x --markdown", "abc1234", "2 x Fast, Linux 6.1", "2026-01-05")
PLACES = Places(Path("/nowhere"))
WATCH = Watch()


def options(part: object, origin: Origin | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    part.add_arguments(parser)
    parser.set_defaults(origin=origin)
    return parser.parse_args([])


def print_tunnel(origin: Origin | None, _: pytest.MonkeyPatch) -> None:
    outcome = tunnel._Outcome(samples={"veth": [Sample(gbps=22.0)]})
    tunnel._print(WATCH, [Veth(PLACES)], options(tunnel, origin), outcome)


def print_sessions(origin: Origin | None, _: pytest.MonkeyPatch) -> None:
    sites = [
        SimpleNamespace(sessions=n, ups=[Rate(1e9, 1.0, 0.5)], downs=[Rate(2e9, 1.0, 0.5)])
        for n in (1, 10_000)
    ]
    handshakes = sessions._Handshakes(2.0, 50.0, 90.0, 3)
    result = sessions._Result(10_000, handshakes, 70.0, 60.0, sites)
    sessions._print(WATCH, options(sessions, origin), result)


def print_api(origin: Origin | None, _: pytest.MonkeyPatch) -> None:
    answers = Answers(1000.0, 5.0, 10.0, 0, 0.1, 300.0)
    figures = ApiFigures(answers, answers, answers, {"nobody else": answers}, 150.0, 10_000)
    api._print(WATCH, options(api, origin), figures)


def print_balancer(origin: Origin | None, _: pytest.MonkeyPatch) -> None:
    answers = Answers(1000.0, 5.0, 10.0, 0, 0.1, 300.0)
    figures = Figures(answers, answers, answers, answers, 200.0)
    balancer._print(WATCH, options(balancer, origin), figures)


def print_failover(origin: Origin | None, _: pytest.MonkeyPatch) -> None:
    seen = Outage(30.0, True, 0, 0, 0, 1.0, 1.0, 0)
    outcome = failover.Outcome({"kill": [Trial("router_1", seen, 0.5, None, 1.0)]}, (10, 0))
    failover._print(WATCH, options(failover, origin), outcome)


def print_balance_quality(origin: Origin | None, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {("death", "balancer"): Quality(0.3, 1.05, 0.0, 100.0, 2, 5.0)}
    monkeypatch.setattr(agents, "python", lambda places: places.root)
    monkeypatch.setattr(balance_quality, "_run_all", lambda *_: found)
    assert balance_quality.measure(options(balance_quality, origin), PLACES) == 0


def print_starved(origin: Origin | None, _: pytest.MonkeyPatch) -> None:
    found = {"both": starved.Found(600.0, 0, [41.0, 45.5], 4.2)}
    starved.show(WATCH, options(starved, origin), found, [])


PARTS = [
    print_tunnel,
    print_sessions,
    print_api,
    print_balancer,
    print_failover,
    print_starved,
    print_balance_quality,
]


@pytest.mark.parametrize("part", PARTS)
def test_the_same_figures_for_a_document_and_the_last_line_is_one_json_object(
    part: Callable[[Origin | None, pytest.MonkeyPatch], None],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    part(None, monkeypatch)
    usual = capsys.readouterr().out.splitlines()
    part(ORIGIN, monkeypatch)
    asked = capsys.readouterr().out.splitlines()
    at = asked.index(str(ORIGIN))
    head, rule, *rows = (line for line in asked[at:-1] if line.startswith("|"))
    cells = [row.removeprefix("| ").removesuffix(" |").split(" | ") for row in (head, *rows)]
    assert [head, rule, *rows] == markdown(cells)
    assert rows
    first = usual.index(plain(cells)[0])
    assert usual[first : first + len(cells)] == plain(cells)
    assert isinstance(json.loads(asked[-1]), dict)
    # The watch goes on meanwhile: what others did is another line.
    assert [*asked[: at - 1], asked[-1]][2:] == usual[2:]
