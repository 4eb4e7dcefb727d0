"""Hosts of a world that are starved of processor time: busy loops beside their agents."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from testbed import process

_WATCH = """
import time
longest, before = 0.0, time.monotonic()
try:
    while True:
        time.sleep(0.002)
        now = time.monotonic()
        longest, before = max(longest, now - before - 0.002), now
except KeyboardInterrupt:
    print(longest)
"""
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
def still() -> Iterator[Callable[[], float]]:
    """Watch every processor; what it gives tells the longest that one ran nobody at all, in s.

    A thread in the first of the real-time classes comes before all that there is: where it is late,
    the processor was taken from this machine, or it was in the kernel.
    """
    watchers = [_watcher(processor) for processor in sorted(os.sched_getaffinity(0))]

    def longest() -> float:
        for watcher in watchers:
            watcher.send_signal(signal.SIGINT)
        return max(float(watcher.communicate(timeout=10)[0] or 0.0) for watcher in watchers)

    try:
        yield longest
    finally:
        process.end(watchers)


def _watcher(processor: int) -> subprocess.Popen[bytes]:
    watcher = subprocess.Popen([sys.executable, "-c", _WATCH], stdout=subprocess.PIPE)
    os.sched_setaffinity(watcher.pid, {processor})
    os.sched_setscheduler(watcher.pid, os.SCHED_FIFO, os.sched_param(50))
    return watcher


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
