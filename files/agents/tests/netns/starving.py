"""Hosts of a world that are starved of processor time: busy loops beside their agents."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from testbed import process

LOOPS = 4
"""On each processor of a starved host."""


def processors() -> tuple[set[int], set[int]]:
    """Those of the endpoint and those of the routers; the same where there is only one."""
    own = sorted(os.sched_getaffinity(0))
    half = len(own) // 2
    return (set(own[:half]), set(own[half:])) if half else (set(own), set(own))


def only_on(which: set[int]) -> tuple[str, ...]:
    """A wrapper for an agent that has these processors alone, and a session as a unit has."""
    return ("taskset", "-c", ",".join(map(str, which)), "setsid")


@contextmanager
def busy(which: set[int]) -> Iterator[list[subprocess.Popen[bytes]]]:
    """Busy loops on these processors, each a stranger to the agents: of another session."""
    loops: list[subprocess.Popen[bytes]] = []
    try:
        for processor in which:
            for _ in range(LOOPS):
                command = [sys.executable, "-c", "while True: pass"]
                loop = subprocess.Popen(command, start_new_session=True)
                loops.append(loop)
                os.sched_setaffinity(loop.pid, {processor})
        yield loops
    finally:
        process.end(loops)
