"""The traffic of a trial: UDP echo at a steady rate beside one TCP flow."""

from __future__ import annotations

import json
import os
import secrets
import select
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from types import TracebackType
from typing import Any

from bench.failover.rig import BUSINESS, ENDPOINT, Rig
from bench.failover.trace import Trace
from bench.settings import CHECKOUT
from bench.shell import BenchError

RATE = 1000
_ECHO_PORT, BULK_PORT = 7007, 7008
_READY_S = 10.0
_END_S = 15.0


class Program:
    """One of this package's programs in a host's network; it runs until `end`."""

    def __init__(self, rig: Rig, host: str, module: str, *words: object) -> None:
        self._name = f"{module} on {host}"
        self._process = subprocess.Popen(
            [
                *rig.network.enter(host),
                sys.executable,
                "-m",
                f"bench.failover.{module}",
                *map(str, words),
            ],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            cwd=CHECKOUT,
            env=_environment(os.environ),
            start_new_session=True,
        )
        try:
            self._expect("ready", _READY_S)
        except BaseException:
            self.close()
            raise

    def end(self) -> dict[str, Any]:
        """What it says at its end. Raises BenchError."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        result: dict[str, Any] = json.loads(self._line(_END_S))
        self._process.wait(_END_S)
        return result

    def ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._process.poll() is not None

    def close(self) -> None:
        """End it, whatever it does."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()
        with suppress(ProcessLookupError):
            self._process.kill()
        self._process.wait()

    def _expect(self, word: str, limit: float) -> None:
        said = self._line(limit).strip()
        if said != word:
            raise BenchError(f"{self._name}: said {said!r}, not {word!r}")

    def _line(self, limit: float) -> str:
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], limit)
        if not ready:
            raise BenchError(f"{self._name}: says nothing for {limit:g} s")
        line = self._process.stdout.readline().decode()
        if not line:
            raise BenchError(f"{self._name}: ended with status {self._process.wait()}")
        return line


def _environment(inherited: Mapping[str, str]) -> dict[str, str]:
    return {**inherited, "PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"}


class Traffic:
    """From the endpoint to the business server and back, as long as the `with` block."""

    def __init__(self, rig: Rig, mbps: int, direction: str) -> None:
        self._rig = rig
        self._mbps = mbps
        self._direction = direction
        self._stack = ExitStack()

    def __enter__(self) -> Traffic:
        with ExitStack() as stack:
            run = secrets.randbits(62)
            self._bulk_server = self._start(stack, BUSINESS, "bulk", "serve", BULK_PORT)
            self._server = self._start(stack, BUSINESS, "echo", "serve", _ECHO_PORT, run)
            self._bulk = self._start(
                stack, ENDPOINT, "bulk", "flow", BULK_PORT, self._direction, self._mbps
            )
            self._client = self._start(stack, ENDPOINT, "echo", "send", _ECHO_PORT, run, RATE)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stack.close()

    def _start(
        self, stack: ExitStack, host: str, module: str, role: str, port: int, *more: object
    ) -> Program:
        program = Program(self._rig, host, module, role, self._rig.business, port, *more)
        stack.callback(program.close)
        return program

    def end_bulk(self) -> str | None:
        """Close the TCP flow in order; what broke it, if anything did."""
        result = self._bulk.end()
        error: str | None = result["error"]
        if error is None and not result["bytes"]:
            error = "nothing was transferred"
        return error

    def end(self) -> Trace:
        """Stop sending; what has become of the packets."""
        client = self._client.end()
        server = self._server.end()
        return Trace(
            client["sent"], server["received"], [(number, at) for number, at in client["received"]]
        )
