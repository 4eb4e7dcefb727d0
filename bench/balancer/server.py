"""Processes on loopback that are to be asked, each on the server's processor."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from testbed import process

SERVER_CPU = "0"
_START_S = 30.0
_STOP_S = 15.0


@dataclass(frozen=True)
class Server:
    """One that listens."""

    pid: int
    port: int


@contextmanager
def running(
    command: Sequence[object], port: int, log: Path, env: Mapping[str, str]
) -> Iterator[Server]:
    """The command, which listens on `port`, until the end of the block. Raises Failed."""
    words = ["taskset", "-c", SERVER_CPU, *command]
    child = process.start(log.stem, words, log=log, env=env, cwd=Path("/"))

    def listens() -> bool:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            return False
        return True

    try:
        child.wait_until(listens, _START_S, f"it listens on port {port}")
        yield Server(child.pid, port)
        child.check()
    finally:
        child.end(_STOP_S)
