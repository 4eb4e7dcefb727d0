"""Network namespaces by name, as iproute2 keeps them."""

from __future__ import annotations

import ctypes
import json
import os
import socket
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from testbed.command import run

RUN_DIRECTORY = Path("/run/netns")
_SYSCTLS = Path("/proc/sys")
_CLONE_NEWNET = 0x40000000


@dataclass(frozen=True)
class Namespace:
    """One that exists or may be made. What runs a program raises Failed, the rest OSError."""

    name: str

    @property
    def path(self) -> Path:
        return RUN_DIRECTORY / self.name

    @property
    def exists(self) -> bool:
        return self.path.exists()

    @property
    def is_own(self) -> bool:
        """Whether this process is in it."""
        try:
            return os.path.samestat(self.path.stat(), Path("/proc/self/ns/net").stat())
        except FileNotFoundError:
            return False

    def add(self, sysctls: Mapping[str, object] | None = None) -> None:
        """Make it, with nothing but a loopback."""
        run(["ip", "netns", "add", self.name])
        self.set(sysctls or {})
        self.ip("link", "set", "lo", "up")

    def delete(self) -> None:
        """Its name; it goes with the last process in it."""
        run(["ip", "netns", "delete", self.name])

    def set(self, sysctls: Mapping[str, object]) -> None:
        """Write values by their paths below /proc/sys."""
        with self.inside():
            for key, value in sysctls.items():
                (_SYSCTLS / key).write_text(str(value), encoding="ascii")

    def ip(self, *words: str) -> str:
        """What `ip` prints."""
        return run(["ip", "-n", self.name, *words])

    def ip_json(self, *words: str) -> list[dict[str, Any]]:
        """The items that `ip -json` lists."""
        return [item for item in json.loads(self.ip("-json", *words) or "[]") if item]

    def batch(self, lines: Iterable[str]) -> int:
        """Have one `ip` do all of them; how many there were."""
        given = list(lines)
        if given:
            run(["ip", "-n", self.name, "-batch", "-"], stdin="\n".join([*given, ""]))
        return len(given)

    def enter(self, *command: object) -> list[str]:
        """The command that runs `command` in it; its process becomes the command's.

        Not `ip netns exec`, which mounts another /sys: without /sys/fs/cgroup, podman that is
        called from the lab's control node could not work. So /sys/class/net, alone, shows the
        interfaces of outside.
        """
        return ["nsenter", f"--net={self.path}", "--", *map(str, command)]

    def pids(self) -> list[int]:
        """The processes in it."""
        return [int(pid) for pid in run(["ip", "netns", "pids", self.name], check=False).split()]

    @contextmanager
    def inside(self) -> Iterator[None]:
        """The calling thread is in it meanwhile; what it opens there stays there."""
        with (
            Path("/proc/thread-self/ns/net").open("rb") as home,
            self.path.open("rb") as there,
        ):
            _go(there)
            try:
                yield
            finally:
                _go(home)

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        """A socket of this process in it."""
        with self.inside():
            return socket.socket(family, kind, protocol)


def existing(prefix: str) -> list[Namespace]:
    """Those whose names begin so."""
    if not RUN_DIRECTORY.is_dir():
        return []
    names = sorted(path.name for path in RUN_DIRECTORY.iterdir())
    return [Namespace(name) for name in names if name.startswith(prefix)]


def _go(namespace: IO[bytes]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.setns(namespace.fileno(), _CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number), namespace.name)
