"""Processes on loopback that are to be asked, each on the server's processor."""

from __future__ import annotations

import socket
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.shell import BenchError

SERVER_CPU = "0"
_START_S = 30.0
_STOP_S = 15.0
_LOG_LINES = 15


@dataclass(frozen=True)
class Server:
    """One that listens."""

    pid: int
    port: int


def free_port() -> int:
    """A port that nothing listens on at the moment."""
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def running(
    command: Sequence[object], port: int, log: Path, env: Mapping[str, str]
) -> Iterator[Server]:
    """The command, which listens on `port`, until the end of the block. Raises BenchError."""
    words = ["taskset", "-c", SERVER_CPU, *map(str, command)]
    with log.open("ab") as file:
        process = subprocess.Popen(
            words,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            env=dict(env),
            cwd="/",
            start_new_session=True,
        )
    try:
        _wait(process, port, log)
        yield Server(process.pid, port)
        if process.poll() is not None:
            raise BenchError(f"{words[3]} ended with status {process.returncode}:\n{_tail(log)}")
    finally:
        process.terminate()
        try:
            process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    deadline = time.monotonic() + _START_S
    while process.poll() is None and time.monotonic() < deadline:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    raise BenchError(f"nothing listens on port {port}:\n{_tail(log)}")


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").splitlines()
    return "\n".join(lines[-_LOG_LINES:])
