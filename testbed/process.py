"""Processes that go on beside this one, and how they are ended."""

from __future__ import annotations

import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from testbed import proc
from testbed.command import last_lines
from testbed.failed import Failed
from testbed.wait import NotInTime, wait_until

_STOP_S = 5.0


@dataclass(frozen=True)
class Child:
    """A process that was started here, and where its output goes: None is where this one's goes."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path | None = None

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def said(self) -> str:
        """What its log has."""
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log else ""

    @property
    def tail(self) -> str:
        """The last lines of it."""
        return last_lines(self.said)

    def check(self) -> None:
        """Raises Failed where it has ended."""
        status = self.process.poll()
        if status is not None:
            raise Failed(f"{self.name} ended with status {status}:\n{self.tail}")

    def wait_until(self, condition: Callable[[], bool], seconds: float, what: str) -> None:
        """Wait as long as it runs. Raises Failed with the last lines of its log."""

        def holds() -> bool:
            self.check()
            return condition()

        try:
            wait_until(holds, seconds, what, every=0.1)
        except NotInTime as error:
            raise Failed(f"{error}\n{self.tail}") from None

    def line(self, limit: float) -> str:
        """What it says next in a conversation, within `limit` seconds. Raises Failed."""
        answers = self.process.stdout
        assert answers is not None
        ready, _, _ = select.select([answers], [], [], limit)
        if not ready:
            raise Failed(f"{self.name}: says nothing for {limit:g} s")
        line = answers.readline().decode()
        if not line:
            status = self.process.wait(_STOP_S)
            raise Failed(f"{self.name} ended with status {status}:\n{self.tail}")
        return line

    def end(self, patience: float = _STOP_S) -> None:
        """Whatever it does."""
        end([self.process], patience)


def start(
    name: str,
    command: Sequence[object],
    *,
    log: Path | None = None,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
    conversation: bool = False,
) -> Child:
    """Start a process. In a conversation its input and output are pipes, and errors alone logged.

    It has a session of its own: Ctrl-C is for this process, which ends what it has started in
    its own order.
    """
    file = None if log is None else log.open("wb")
    try:
        process = subprocess.Popen(
            [str(word) for word in command],
            stdin=subprocess.PIPE if conversation else subprocess.DEVNULL,
            stdout=subprocess.PIPE if conversation else file,
            stderr=file,
            env=env,
            cwd=cwd,
            start_new_session=True,
        )
    finally:
        if file is not None:
            file.close()
    return Child(name, process, log)


def end(processes: Sequence[subprocess.Popen[bytes]], patience: float = _STOP_S) -> None:
    """End children of this process, the last first: SIGTERM, then SIGKILL where that is ignored."""
    for process in reversed(processes):
        if process.poll() is None:
            process.terminate()
    for process in processes:
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                with suppress(OSError):
                    pipe.close()


def end_pids(pids: Iterable[int], patience: float = 2.0) -> None:
    """End processes that are no children of this one, in the same way."""
    left = list(pids)
    for number in (signal.SIGTERM, signal.SIGKILL):
        for pid in left:
            with suppress(ProcessLookupError):
                os.kill(pid, number)
        deadline = time.monotonic() + patience
        while left and time.monotonic() < deadline:
            left = [pid for pid in left if proc.runs(pid)]
            time.sleep(0.02)
