"""`bin/bench api`: what the server of the APIs carries by TLS, and what attacks on it cost.

The load balancer's app, with 500 routers and 20,000 endpoints that it knows, is served by the
agents' server with TLS, and by waitress with plain HTTP; beside them a Flask app with one bare
route by the agents' server with TLS. Each is asked in turn, in short rounds, 16 questions at once
on connections that are kept. Then strangers come to the first (`testbed/strangers.py`), while
honest clients ask 100 times a second with a connection and a handshake for each; at last 10,000
connections that have asked once stay open.

Servers run on one processor, the load generators on another. With `--servers` it compares servers
that could be used (`rivals.py`) instead.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from harness import venvs
from harness.settings import Cache

from bench import agents, document
from bench.api import certificate, figures, servers
from bench.api.figures import Figures
from bench.arguments import positive
from bench.balancer import credentials, questions
from bench.balancer.load import CLIENT_CPU, Answers, Client, median
from bench.balancer.server import Server, running
from bench.compiler import compiled
from bench.machine import Watch
from bench.progress import progress
from bench.settings import AGENTS, CHECKOUT, Places
from bench.table import plain
from testbed import proc, process
from testbed.failed import Failed
from testbed.ports import free_port

HERE = Path(__file__).resolve().parent
BALANCER = HERE.parent / "balancer"
AT_ONCE = 16
ATTACKS = {
    "nobody else": (0, 0, 1),
    "3,000 silent and 600 slow of one source": (3000, 600, 1),
    "3,000 silent of 50 sources": (3000, 0, 50),
}
"""Silent, slow and sources."""
_RATE = 100.0
_HOLDERS = 250
"""Who hold idle connections: a credential has few."""
_ATTACK_S = 60.0
_FILL_S = 300.0
_HOLD_S = 300.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this part."""
    parser.add_argument("--endpoints", type=positive, default=20_000, help="default: 20000")
    parser.add_argument("--routers", type=positive, default=500, help="default: 500")
    parser.add_argument("--idle", type=positive, default=10_000, help="default: 10000")
    parser.add_argument("--rounds", type=positive, default=5, help="default: 5")
    parser.add_argument(
        "--seconds", type=positive, default=2, help="of each measurement; default: 2"
    )
    parser.add_argument("--servers", action="store_true", help="compare servers instead")


def measure(options: argparse.Namespace, places: Places) -> int:
    """Measure and print. Raises Failed, harness.report.Unusable."""
    if (os.cpu_count() or 1) < 2:
        raise Failed("needs two processors: one for the server, one for the load generator")
    watch = Watch()
    program = compiled(places, BALANCER / "http_load.c", "ssl", "crypto")
    requirements = [AGENTS / "requirements.lock", HERE / "servers.txt"]
    python = venvs.ensure(Cache(places.root), "servers", agents.interpreter(), requirements).python
    with tempfile.TemporaryDirectory(prefix="nrs-bench-") as name:
        bench = Bench(python, program, Path(name), options)
        if options.servers:
            rows = servers.compare(bench.rival, bench.hello, bench.decisions, options)
            print("\n".join([watch.described, watch.disturbance(), "", *plain(rows)]), flush=True)
            document.show(options.origin, rows)
            return 0
        result = bench.measure()
    _print(watch, options, result)
    return 0


class Bench:
    """Everything that is started, and what it is asked."""

    def __init__(
        self, python: Path, program: Path, directory: Path, options: argparse.Namespace
    ) -> None:
        self._python = python
        self._program = program
        self._directory = directory
        self._options = options
        env = {**agents.inherited(), "PYTHONPATH": str(AGENTS)}
        self._held = credentials.made(
            python, directory, env, endpoints=options.endpoints, operators=_HOLDERS
        )
        self._pair = certificate.made(directory)
        self.hello = directory / "hello.requests"
        self.hello.write_bytes(questions.packed([questions.hello(self._held.endpoints[0])]))
        self.decisions = directory / "decision.requests"
        asked = questions.decisions(self._held.endpoints, options.routers)
        self.decisions.write_bytes(questions.packed(asked))

    @contextmanager
    def rival(self, name: str, *, tls: bool) -> Iterator[tuple[Server, Client]]:
        """The load balancer's app behind one of `rivals.py`."""
        words = ["-m", "bench.api.rivals", name]
        with self._running(name, words, tls=tls) as server:
            client = Client(self._program, server, keep=True, tls=tls)
            # Each signature is checked once.
            client.once(self.decisions, connections=AT_ONCE, at_most=_FILL_S)
            yield server, client

    @contextmanager
    def _running(self, name: str, words: Sequence[object], *, tls: bool) -> Iterator[Server]:
        port = free_port()
        command = [self._python, *words, port, *(self._pair if tls else ())]
        env = {
            **agents.environment(self._directory, "python"),
            "PYTHONPATH": f"{CHECKOUT}:{AGENTS}",
            "NRS_BENCH_SIGNERS": str(self._held.signers),
            "NRS_BENCH_ROUTERS": str(self._options.routers),
            "NRS_BENCH_ENDPOINTS": str(self._options.endpoints),
        }
        with running(command, port, self._directory / f"{name}.log", env) as server:
            yield server

    def measure(self) -> Figures:
        """All of it. Raises Failed."""
        options = self._options
        said: dict[str, list[Answers]] = {"hello": [], "decision": [], "waitress": []}
        with (
            self._running("hello", ["-m", "bench.balancer.hello"], tls=True) as bare,
            self.rival("waitress", tls=False) as (_, waitress),
            self.rival("agents", tls=True) as (server, asks),
        ):
            hello = Client(self._program, bare, keep=True, tls=True)
            for number in range(1, options.rounds + 1):
                progress(f"round {number} of {options.rounds}")
                for name, client, path in (
                    ("hello", hello, self.hello),
                    ("decision", asks, self.decisions),
                    ("waitress", waitress, self.decisions),
                ):
                    said[name].append(
                        client.ask(path, connections=AT_ONCE, seconds=options.seconds)
                    )
            honest = {attack: self._honest(server, attack) for attack in ATTACKS}
            idle_mb = self._idle(server)
        medians = {name: median(answers) for name, answers in said.items()}
        return Figures(**medians, honest=honest, idle_mb=idle_mb, idle=options.idle)

    def _honest(self, server: Server, attack: str) -> Answers:
        progress(attack)
        silent, slow, sources = ATTACKS[attack]
        words = ["taskset", "-c", CLIENT_CPU, self._python, CHECKOUT / "testbed" / "strangers.py"]
        words += ["127.0.0.1", server.port, silent, slow, sources, "tls"]
        env = {**agents.inherited(), "PYTHONPATH": str(CHECKOUT)}
        child = process.start("strangers", words, env=env, conversation=True)
        try:
            child.line(_ATTACK_S)
            seconds = 2.0 * self._options.seconds
            return Client(self._program, server, keep=False, tls=True).ask(
                self.decisions, connections=256, seconds=seconds, rate=_RATE
            )
        finally:
            child.end()

    def _idle(self, server: Server) -> float:
        progress(f"{self._options.idle} connections stay open")
        words = ["taskset", "-c", CLIENT_CPU, self._python, HERE / "holder.py"]
        child = process.start(
            "holder",
            [*words, server.port, self._options.idle, *self._held.operators],
            log=self._directory / "holder.log",
            conversation=True,
        )
        try:
            held = json.loads(child.line(_HOLD_S))["held"]
            if held != self._options.idle:
                raise Failed(f"only {held} connections could be held")
            return proc.resident_mb(server.pid)
        finally:
            child.end()


def _print(watch: Watch, options: argparse.Namespace, result: Figures) -> None:
    memory = f"resident memory with {result.idle} idle TLS connections {result.idle_mb:.1f} MB"
    document.report(
        watch,
        options.origin,
        questions.known(options),
        figures.rows(result),
        memory,
        targets=figures.targets(result),
        summary=figures.summary(result),
    )
