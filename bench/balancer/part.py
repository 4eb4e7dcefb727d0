"""`bin/bench balancer`: how many questions a load balancer answers, beside a bare route.

A load balancer runs as an operator runs it, with a snapshot and 500 routers that go on reporting
every 10 s meanwhile, and every one of 100,000 endpoints has asked once. Beside it runs a Flask app
with one bare route behind the same HTTP server. Each is asked in turn, 16 questions at once, a
connection for each as agents do; at last endpoints ask at half of the rate that was reached,
whatever the load balancer does, and an answer's time counts from when its question was due.

Servers run on one processor, the load generator (`http_load.c`) on another.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench import agents, document
from bench.arguments import positive
from bench.balancer import credentials, figures, questions
from bench.balancer.credentials import Credentials
from bench.balancer.figures import Figures
from bench.balancer.load import Answers, Client, median
from bench.balancer.server import Server, running
from bench.compiler import compiled
from bench.machine import Watch
from bench.progress import progress
from bench.settings import Places
from testbed import proc, process
from testbed.failed import Failed
from testbed.ports import free_port

HERE = Path(__file__).resolve().parent
AT_ONCE = 16
_WAITING = 512
_FILL_AT_ONCE = 8
_FILL_S = 300
_REPORT_S = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this part."""
    parser.add_argument("--routers", type=positive, default=500, help="default: 500")
    parser.add_argument("--endpoints", type=positive, default=100_000, help="default: 100000")
    parser.add_argument("--rounds", type=positive, default=3, help="default: 3")
    parser.add_argument(
        "--seconds", type=positive, default=5, help="of each measurement; default: 5"
    )


@dataclass(frozen=True)
class Files:
    """The requests, as `http_load` reads them."""

    hello: Path
    decisions: Path
    reports: tuple[Path, ...]
    """The first of each router, and those of each round."""
    meanwhile: Path
    """Reports that are sent all the time."""


def write_requests(directory: Path, held: Credentials, rounds: int) -> Files:
    """The requests of the routers and endpoints that have tokens."""
    files = Files(
        directory / "hello.requests",
        directory / "decision.requests",
        tuple(directory / f"metrics_{number}.requests" for number in range(rounds + 1)),
        directory / "meanwhile.requests",
    )
    files.hello.write_bytes(questions.packed([questions.hello(held.endpoints[0])]))
    files.decisions.write_bytes(
        questions.packed(questions.decisions(held.endpoints, len(held.routers)))
    )
    # One that is dated before the last one is refused, and one that repeats its packets is not
    # believed: a round begins anew with its file, wherever the round before has ended.
    now = time.time()
    for number, path in enumerate((*files.reports, files.meanwhile), 1):
        reports = questions.reports(held.routers, now, number * 1_000_000)
        path.write_bytes(questions.packed(reports))
    return files


def measure(options: argparse.Namespace, places: Places) -> int:
    """Measure and print. Raises Failed."""
    if (os.cpu_count() or 1) < 2:
        raise Failed("needs two processors: one for the server, one for the load generator")
    watch = Watch()
    program = compiled(places, HERE / "http_load.c", "ssl", "crypto")
    with tempfile.TemporaryDirectory(prefix="nrs-bench-") as name:
        directory, python = Path(name), agents.python(places)
        held = credentials.made(
            python,
            directory,
            agents.inherited(),
            endpoints=options.endpoints,
            routers=options.routers,
        )
        files = write_requests(directory, held, options.rounds)
        result = _measure(python, program, files, held, options)
    _print(watch, options, result)
    return 0


def _measure(
    python: Path, program: Path, files: Files, held: Credentials, options: argparse.Namespace
) -> Figures:
    directory = held.signers.parent
    rounds: dict[str, list[Answers]] = {"hello": [], "decision": [], "metrics": []}
    with _hello(python, directory) as bare, _load_balancer(python, held) as balancer:
        asks = Client(program, balancer)
        progress(f"{options.routers} routers report, {options.endpoints} endpoints ask")
        asks.once(files.reports[0], connections=1, at_most=_FILL_S)
        with _reporting(asks, files, options):
            asks.once(files.decisions, connections=_FILL_AT_ONCE, at_most=_FILL_S)
            for number in range(1, options.rounds + 1):
                progress(f"round {number} of {options.rounds}")
                for name, client, path in (
                    ("hello", Client(program, bare), files.hello),
                    ("decision", asks, files.decisions),
                    ("metrics", asks, files.reports[number]),
                ):
                    said = client.ask(path, connections=AT_ONCE, seconds=options.seconds)
                    rounds[name].append(said)
            medians = {name: median(answers) for name, answers in rounds.items()}
            progress("at half of the rate")
            at_half = asks.ask(
                files.decisions,
                connections=_WAITING,
                seconds=2 * options.seconds,
                rate=medians["decision"].per_second / 2,
            )
        rss = proc.resident_mb(balancer.pid, descendants=True)
    return Figures(**medians, at_half=at_half, rss_mb=rss)


@contextmanager
def _hello(python: Path, directory: Path) -> Iterator[Server]:
    port = free_port()
    command = [python, HERE / "hello.py", port]
    env = agents.environment(directory, "python")
    with running(command, port, directory / "hello.log", env) as server:
        yield server


@contextmanager
def _load_balancer(python: Path, held: Credentials) -> Iterator[Server]:
    port, directory = free_port(), held.signers.parent
    state = directory / "load_balancer"
    state.mkdir()
    path = state / "load_balancer.yaml"
    config = {
        "server": {"bind_address": "127.0.0.1", "bind_port": port},
        "metrics": {"report_interval": _REPORT_S},
        "business_server": {"ip": "198.51.100.10"},
        "api": held.api,
    }
    path.touch(mode=0o600)
    path.write_text(json.dumps(config), encoding="ascii")  # which is YAML too
    command = [python, "-m", "nrs", "load-balancer", "--config", path]
    env = agents.environment(state, "python")
    with running(command, port, directory / "load_balancer.log", env) as server:
        yield server


@contextmanager
def _reporting(client: Client, files: Files, options: argparse.Namespace) -> Iterator[None]:
    """Routers that go on reporting, each every 10 s."""
    command = client.command(
        files.meanwhile, connections=8, seconds=86400, rate=options.routers / _REPORT_S
    )
    log = files.meanwhile.with_suffix(".log")
    child = process.start("what reports for the routers", command, log=log)
    try:
        yield
        child.check()
    finally:
        child.end()


def _print(watch: Watch, options: argparse.Namespace, result: Figures) -> None:
    memory = f"resident memory {result.rss_mb:.1f} MB"
    document.report(
        watch,
        options.origin,
        questions.known(options),
        figures.rows(result),
        memory,
        targets=figures.targets(result),
        summary=figures.summary(result),
    )
