"""Runs `http_load`, and what it says."""

from __future__ import annotations

import json
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.balancer.server import Server
from testbed import proc
from testbed.command import run
from testbed.failed import Failed

CLIENT_CPU = "1"
_MOST_BUSY = 0.9
_MOST_FAILED = 0.001
_PATIENCE_S = 30.0


@dataclass(frozen=True)
class Answers:
    """What came back in one run."""

    per_second: float
    p50_ms: float
    p99_ms: float
    failed: int
    client_busy: float
    """Of one processor, 0 to 1."""
    server_us: float = 0.0
    """Processor time of the server for an answer."""


def parsed(text: str) -> Answers:
    """The JSON object that `http_load` prints."""
    said = json.loads(text)
    return Answers(
        per_second=said["answered"] / said["seconds"],
        p50_ms=said["p50_us"] / 1000,
        p99_ms=said["p99_us"] / 1000,
        failed=said["failed"],
        client_busy=said["cpu_seconds"] / said["seconds"],
    )


def median(rounds: Sequence[Answers]) -> Answers:
    """Each figure's median; failures are added up."""
    return Answers(
        per_second=statistics.median(answers.per_second for answers in rounds),
        p50_ms=statistics.median(answers.p50_ms for answers in rounds),
        p99_ms=statistics.median(answers.p99_ms for answers in rounds),
        failed=sum(answers.failed for answers in rounds),
        client_busy=statistics.median(answers.client_busy for answers in rounds),
        server_us=statistics.median(answers.server_us for answers in rounds),
    )


def believable(answers: Answers, seconds: float, *, paced: bool) -> str | None:
    """Why a run is worth nothing, if so."""
    asked = answers.per_second * seconds + answers.failed
    if answers.failed > _MOST_FAILED * asked:
        return f"{answers.failed} of {asked:.0f} requests failed"
    if answers.client_busy > _MOST_BUSY and not paced:
        return f"the load generator was busy to {100 * answers.client_busy:.0f} %"
    return None


@dataclass(frozen=True)
class Client:
    """A load generator for one server; `keep` has it use a connection again, `tls` speak TLS."""

    program: Path
    server: Server
    keep: bool = False
    tls: bool = False

    def command(
        self, requests: Path, connections: int, seconds: float, rate: float | str
    ) -> list[str]:
        """Its words: `rate` 0 is as fast as answers come, `once` ends with the last request."""
        mode = ("keep" if self.keep else "close", "tls" if self.tls else "plain")
        numbers = (self.server.port, requests, connections, seconds, rate)
        return ["taskset", "-c", CLIENT_CPU, str(self.program), *map(str, numbers), *mode]

    def ask(
        self, requests: Path, *, connections: int, seconds: float, rate: float = 0.0
    ) -> Answers:
        """Raises Failed where what came back is not to be believed."""
        command = self.command(requests, connections, seconds, rate)
        answers, used = self._run(command, seconds)
        problem = believable(answers, seconds, paced=rate > 0)
        if problem is not None:
            raise Failed(f"{requests.name}: {problem}")
        return replace(answers, server_us=1e6 * used / (answers.per_second * seconds))

    def once(self, requests: Path, *, connections: int, at_most: float) -> None:
        """Have each request answered well, within so many seconds. Raises Failed."""
        answers, _ = self._run(self.command(requests, connections, at_most, "once"), at_most)
        if answers.failed:
            raise Failed(f"{requests.name}: {answers.failed} requests failed")

    def _run(self, command: list[str], seconds: float) -> tuple[Answers, float]:
        """The answers, and the server's processor seconds."""
        before = proc.seconds([self.server.pid])
        answers = parsed(run(command, limit=seconds + _PATIENCE_S))
        return answers, proc.seconds([self.server.pid]) - before
