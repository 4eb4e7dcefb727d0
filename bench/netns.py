"""Two hosts in network namespaces, joined by one link, and what runs on them."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from bench.shell import BenchError, run

UNDERLAY = {"a": "192.0.2.1", "b": "192.0.2.2"}
LINK = "wan0"
_LOG_LINES = 15
_STOP_S = 5.0
_numbers = itertools.count(1)


@dataclass(frozen=True)
class Child:
    """A process in a namespace, and where its output goes."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    @property
    def tail(self) -> str:
        """The last lines that it has said."""
        lines = self.log.read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(lines[-_LOG_LINES:])


class Pair:
    """Hosts `a` and `b`. Named after this process; everything goes with the `with` block."""

    def __init__(self) -> None:
        self._prefix = f"nrsb{os.getpid()}x{next(_numbers)}"
        self._children: list[Child] = []
        self._files = tempfile.TemporaryDirectory(prefix="nrs-bench-")
        self.directory = Path(self._files.name)

    def __enter__(self) -> Pair:
        try:
            for host in UNDERLAY:
                run(["ip", "netns", "add", self.netns(host)])
                self.ip(host, "link", "set", "lo", "up")
            self.ip(
                *("a", "link", "add", LINK, "type", "veth"),
                *("peer", "name", LINK, "netns", self.netns("b")),
            )
            for host, address in UNDERLAY.items():
                self.ip(host, "addr", "add", f"{address}/24", "dev", LINK)
                self.ip(host, "link", "set", LINK, "up")
        except BaseException:
            self._close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def netns(self, host: str) -> str:
        """The namespace's name."""
        return f"{self._prefix}-{host}"

    def unique(self, host: str) -> str:
        """An interface name that is the host's alone on this machine."""
        return f"{self._prefix.removeprefix('nrs')}{host}"[-15:]

    def ip(self, host: str, *words: str) -> str:
        """`ip` in a namespace. Raises BenchError."""
        return run(["ip", "-n", self.netns(host), *words])

    def enter(self, host: str, *command: object) -> list[str]:
        """The command that runs `command` on a host; its process becomes the command's."""
        return ["ip", "netns", "exec", self.netns(host), *map(str, command)]

    def start(
        self,
        host: str,
        name: str,
        command: Sequence[object],
        *,
        env: Mapping[str, str] | None = None,
        conversation: bool = False,
    ) -> Child:
        """Start a process that runs until the end.

        Its output goes to a log; in a conversation only its errors do, and its standard
        input and output are pipes.
        """
        log = self.directory / f"{host}-{name}.log"
        with log.open("ab") as file:
            process = subprocess.Popen(
                self.enter(host, *command),
                stdin=subprocess.PIPE if conversation else subprocess.DEVNULL,
                stdout=subprocess.PIPE if conversation else file,
                stderr=file,
                env=None if env is None else dict(env),
                start_new_session=True,
            )
        child = Child(name, process, log)
        self._children.append(child)
        return child

    def check(self) -> None:
        """Raises BenchError where a process has ended."""
        for child in self._children:
            status = child.process.poll()
            if status is not None:
                raise BenchError(f"{child.name} ended with status {status}:\n{child.tail}")

    def end(self, child: Child) -> None:
        """End one process."""
        self._children.remove(child)
        _end([child])

    def _close(self) -> None:
        _end(self._children)
        self._children.clear()
        for host in UNDERLAY:
            with suppress(BenchError):  # one that was never made
                run(["ip", "netns", "del", self.netns(host)])
        self._files.cleanup()


def _end(children: Sequence[Child]) -> None:
    for child in reversed(children):
        if child.process.poll() is None:
            child.process.send_signal(signal.SIGTERM)
    for child in children:
        try:
            child.process.wait(_STOP_S)
        except subprocess.TimeoutExpired:
            child.process.kill()
            child.process.wait()
        for pipe in (child.process.stdin, child.process.stdout):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()
