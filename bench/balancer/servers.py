"""`bin/bench balancer --servers`: the load balancer's app behind several WSGI servers."""

from __future__ import annotations

import argparse
from dataclasses import dataclass
from pathlib import Path

from harness import venvs
from harness.settings import Cache

from bench import agents
from bench.balancer.load import Answers, Client, median
from bench.balancer.server import free_port, running
from bench.progress import progress
from bench.settings import AGENTS, CHECKOUT, Places
from bench.table import number
from testbed import proc

ENDPOINTS = 20_000
_HERE = Path(__file__).resolve().parent
_AT_ONCE = 16


@dataclass(frozen=True)
class Rival:
    """A way to serve the app; `keeps` where it can use a connection again."""

    name: str
    words: tuple[str, ...]
    keeps: bool = True


_APP = "bench.balancer.app:app"
_GUNICORN = ("gunicorn", "--workers", "1", "--bind", "127.0.0.1:{port}")
_GRANIAN = ("granian", "--interface", "wsgi", "--workers", "1", "--no-ws", "--port", "{port}")
RIVALS = (
    Rival("the agents' (waitress)", ("bench.balancer.app", "{port}"), keeps=False),
    Rival("waitress", ("waitress", "--listen=127.0.0.1:{port}", "--threads=8", _APP)),
    Rival("gunicorn, 8 threads", (*_GUNICORN, "--worker-class=gthread", "--threads=8", _APP)),
    Rival("gunicorn, sync", (*_GUNICORN, _APP), keeps=False),
    Rival("granian, 1 thread", (*_GRANIAN, "--blocking-threads", "1", _APP)),
    Rival("granian, 8 threads", (*_GRANIAN, "--blocking-threads", "8", _APP)),
)


def compare(
    places: Places,
    program: Path,
    hello: Path,
    decisions: Path,
    directory: Path,
    options: argparse.Namespace,
    token: str,
) -> list[list[str]]:
    """A table. Raises Failed, harness.report.Unusable."""
    python = _python(places)
    rows = [
        [
            "server",
            "connections",
            "hello/s",
            "CPU µs",
            "decision/s",
            "CPU µs",
            "p50 ms",
            "p99 ms",
            "MB",
        ]
    ]
    for rival in RIVALS:
        progress(rival.name)
        port = free_port()
        words = [python, "-m", *(word.format(port=port) for word in rival.words)]
        env = {
            **agents.environment(directory, "python"),
            "PYTHONPATH": f"{CHECKOUT}:{AGENTS}",
            "NRS_BENCH_TOKEN": token,
            "NRS_BENCH_ROUTERS": str(options.routers),
            "NRS_BENCH_ENDPOINTS": str(ENDPOINTS),
        }
        with running(words, port, directory / "server.log", env) as server:
            for keep in (False, True) if rival.keeps else (False,):
                client = Client(program, server, keep)
                said: dict[Path, list[Answers]] = {hello: [], decisions: []}
                for _ in range(options.rounds):
                    for path, answers in said.items():
                        answers.append(
                            client.ask(path, connections=_AT_ONCE, seconds=options.seconds)
                        )
                bare, decided = median(said[hello]), median(said[decisions])
                rows.append(
                    [
                        rival.name,
                        "kept" if keep else "one each",
                        number(bare.per_second, 0),
                        number(bare.server_us, 0),
                        number(decided.per_second, 0),
                        number(decided.server_us, 0),
                        number(decided.p50_ms, 1),
                        number(decided.p99_ms, 1),
                        number(proc.resident_mb(server.pid, descendants=True), 0),
                    ]
                )
    return rows


def _python(places: Places) -> Path:
    requirements = [AGENTS / "requirements.lock", _HERE / "servers.txt"]
    return venvs.ensure(Cache(places.root), "servers", agents.interpreter(), requirements).python
