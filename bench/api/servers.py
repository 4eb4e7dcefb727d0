"""`bin/bench api --servers`: the load balancer's app behind servers that could be used."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from bench.balancer.load import Answers, Client, median
from bench.balancer.server import Server
from bench.progress import progress
from bench.table import number
from testbed import proc
from testbed.failed import Failed

RIVALS = {
    "agents": "the agents': epoll, httptools",
    "waitress": "waitress, 8 threads",
    "cheroot": "cheroot, 8 threads",
    "gevent": "gevent's pywsgi",
    "uvicorn_inline": "uvicorn, asyncio, in the loop",
    "uvicorn_uvloop": "uvicorn, uvloop, in the loop",
    "uvicorn_threads": "uvicorn, asyncio, 8 threads",
    "hypercorn": "hypercorn, in the loop",
    "granian": "granian, embedded",
    "httptools_asyncio": "asyncio, httptools",
    "httptools_uvloop": "uvloop, httptools",
    "httptools_hop": "asyncio, httptools, 8 threads",
}
_NO_TLS = {"waitress"}
_AT_ONCE = 16
Start = Callable[..., AbstractContextManager[tuple[Server, Client]]]


@dataclass(frozen=True)
class Way:
    """One way to ask one server."""

    name: str
    tls: bool
    keep: bool


def compare(
    start: Start, hello: Path, decisions: Path, options: argparse.Namespace
) -> list[list[str]]:
    """A table: all are started, and asked in turn in short rounds. Raises Failed."""
    said: dict[tuple[Way, Path], list[Answers]] = {}
    memory: dict[tuple[str, bool], float] = {}
    with ExitStack() as stack:
        started = {
            (name, tls): stack.enter_context(start(name, tls=tls))
            for name in RIVALS
            for tls in (False, True)
            if not (tls and name in _NO_TLS)
        }
        for turn in range(1, options.rounds + 1):
            progress(f"round {turn} of {options.rounds}")
            for (name, tls), (server, client) in started.items():
                for keep in (True, False):
                    for path in (hello, decisions):
                        asked = said.setdefault((Way(name, tls, keep), path), [])
                        try:
                            asked.append(
                                replace(client, keep=keep).ask(
                                    path, connections=_AT_ONCE, seconds=options.seconds
                                )
                            )
                        except Failed as failed:
                            progress(f"{name}: {failed}")
                memory[name, tls] = proc.resident_mb(server.pid, descendants=True)
    ways = dict.fromkeys(way for way, _ in said)
    return [_HEAD, *(_row(way, said[way, hello], said[way, decisions], memory) for way in ways)]


_HEAD = ["server", "", "hello/s", "CPU µs", "decision/s", "CPU µs", "p99 ms", "MB"]


def _row(
    way: Way,
    hello: list[Answers],
    decisions: list[Answers],
    memory: dict[tuple[str, bool], float],
) -> list[str]:
    how = f"{'TLS' if way.tls else 'plain'}, {'kept' if way.keep else 'one each'}"
    if not hello or not decisions:
        return [RIVALS[way.name], how, *["-"] * 5, number(memory[way.name, way.tls], 0)]
    bare, decided = median(hello), median(decisions)
    return [
        RIVALS[way.name],
        how,
        number(bare.per_second, 0),
        number(bare.server_us, 0),
        number(decided.per_second, 0),
        number(decided.server_us, 0),
        number(decided.p99_ms, 1),
        number(memory[way.name, way.tls], 0),
    ]
