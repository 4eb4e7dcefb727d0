"""What /proc says of processes (proc(5))."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")
_ENDED = "Z"


@dataclass(frozen=True)
class Stat:
    """Of one process, from its line in /proc/PID/stat."""

    pid: int
    state: str
    parent: int
    ticks: int
    """User and system, of all its threads, and of children that have ended."""


def parse_stat(line: str) -> Stat:
    """The fields after the command's name, which may hold spaces and brackets."""
    fields = line.rpartition(")")[2].split()
    return Stat(
        pid=int(line.partition(" ")[0]),
        state=fields[0],
        parent=int(fields[1]),
        ticks=sum(int(fields[index]) for index in (11, 12, 13, 14)),
    )


def stat(pid: int) -> Stat | None:
    """None where there is no such process."""
    text = _read(pid, "stat")
    return parse_stat(text) if text else None


def present() -> list[Stat]:
    """All processes."""
    pids = (int(path.name) for path in _PROC.glob("[0-9]*"))
    return [found for found in map(stat, pids) if found is not None]


def tree(stats: Iterable[Stat], roots: Iterable[int]) -> list[Stat]:
    """The roots and all their descendants, parents first."""
    by_pid: dict[int, Stat] = {}
    children: dict[int, list[int]] = {}
    for found in stats:
        by_pid[found.pid] = found
        children.setdefault(found.parent, []).append(found.pid)
    reached: list[Stat] = []
    waiting = list(dict.fromkeys(roots))
    while waiting:
        pid = waiting.pop()
        if pid in by_pid:
            reached.append(by_pid.pop(pid))
            waiting += children.get(pid, [])
    return reached


def family(pid: int) -> list[int]:
    """A process and all its descendants."""
    return [found.pid for found in tree(present(), [pid])]


def ancestors() -> set[int]:
    """This process and those that started it."""
    found = set()
    at = stat(os.getpid())
    while at is not None:
        found.add(at.pid)
        at = stat(at.parent)
    return found


def runs(pid: int) -> bool:
    """Whether a process exists and has not ended (a zombie waits only for its parent)."""
    found = stat(pid)
    return found is not None and found.state != _ENDED


def name(pid: int) -> str:
    """The name of its program; empty where there is no such process."""
    return _read(pid, "comm").rstrip("\n")


def seconds(pids: Iterable[int]) -> float:
    """Processor seconds, user and system, of these processes and their descendants so far."""
    return sum(found.ticks for found in tree(present(), pids)) * TICK_S


def resident_mb(pid: int, *, descendants: bool = False) -> float:
    """Resident memory in MB (10^6 bytes); pages shared between processes count in each."""
    pids = family(pid) if descendants else [pid]
    return sum(parse_resident_kib(_read(each, "status")) for each in pids) * 1024 / 1e6


def parse_resident_kib(status: str) -> int:
    """VmRSS of /proc/PID/status; 0 for a process without memory of its own."""
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0


def _read(pid: int, file: str) -> str:
    """Empty where there is no such process."""
    try:
        return (_PROC / str(pid) / file).read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return ""
