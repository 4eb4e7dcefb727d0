"""The processor time and memory of processes and of all that they have started."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_TICK_S = 1 / os.sysconf("SC_CLK_TCK")
_PROC = Path("/proc")


@dataclass(frozen=True)
class Stat:
    """Of one process, from its line in /proc/PID/stat."""

    pid: int
    parent: int
    ticks: int
    """User and system, of all its threads, and of children that have ended."""


def parse_stat(line: str) -> Stat:
    """The fields after the command's name, which may hold spaces and brackets (proc(5))."""
    fields = line.rpartition(")")[2].split()
    return Stat(
        pid=int(line.partition(" ")[0]),
        parent=int(fields[1]),
        ticks=sum(int(fields[index]) for index in (11, 12, 13, 14)),
    )


def tree(stats: Iterable[Stat], roots: Iterable[int]) -> list[Stat]:
    """The roots and all their descendants."""
    by_pid: dict[int, Stat] = {}
    children: dict[int, list[int]] = {}
    for stat in stats:
        by_pid[stat.pid] = stat
        children.setdefault(stat.parent, []).append(stat.pid)
    found: list[Stat] = []
    waiting = list(dict.fromkeys(roots))
    while waiting:
        pid = waiting.pop()
        if pid in by_pid:
            found.append(by_pid.pop(pid))
            waiting += children.get(pid, [])
    return found


def _running() -> list[Stat]:
    stats = []
    for path in _PROC.glob("[0-9]*/stat"):
        try:
            stats.append(parse_stat(path.read_text(encoding="ascii", errors="replace")))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return stats


def seconds(pids: Iterable[int]) -> float:
    """Processor seconds, user and system, of these processes and their descendants so far."""
    return sum(stat.ticks for stat in tree(_running(), pids)) * _TICK_S


def resident_mb(pid: int, *, descendants: bool) -> float:
    """Resident memory in MB (10^6 bytes); pages shared between processes count in each."""
    pids = [stat.pid for stat in tree(_running(), [pid])] if descendants else [pid]
    return sum(map(_resident_kib, pids)) * 1024 / 1e6


def _resident_kib(pid: int) -> int:
    try:
        text = (_PROC / str(pid) / "status").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return parse_resident_kib(text)


def parse_resident_kib(status: str) -> int:
    """VmRSS of /proc/PID/status; 0 for a process without memory of its own."""
    for line in status.splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1])
    return 0
