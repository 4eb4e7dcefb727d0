"""The traffic of a trial: UDP echo at a steady rate beside one TCP flow."""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from types import TracebackType
from typing import Any

from bench.failover.rig import BUSINESS, ENDPOINT, Rig
from bench.failover.trace import Trace
from bench.settings import CHECKOUT
from testbed import process
from testbed.failed import Failed

RATE = 1000
_ECHO_PORT, BULK_PORT = 7007, 7008
_READY_S = 10.0
_END_S = 15.0


class Program:
    """One of this package's programs in a host's network; it runs until `end`."""

    def __init__(self, rig: Rig, host: str, module: str, *words: object) -> None:
        own = rig.network.namespace(host)
        self._child = process.start(
            f"{module} on {host}",
            own.enter(sys.executable, "-m", f"bench.failover.{module}", *words),
            env=_environment(os.environ),
            cwd=CHECKOUT,
            conversation=True,
        )
        try:
            said = self._child.line(_READY_S).strip()
            if said != "ready":
                raise Failed(f"{self._child.name}: said {said!r}, not 'ready'")
        except BaseException:
            self.close()
            raise

    def end(self) -> dict[str, Any]:
        """What it says at its end. Raises Failed."""
        assert self._child.process.stdin is not None
        self._child.process.stdin.close()
        result: dict[str, Any] = json.loads(self._child.line(_END_S))
        self._child.process.wait(_END_S)
        return result

    def ended(self) -> bool:
        """Whether it has ended by itself."""
        return self._child.process.poll() is not None

    def close(self) -> None:
        """End it, whatever it does."""
        self._child.end()


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
