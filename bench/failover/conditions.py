"""Conditions under which nothing is to happen: processors that are busy, and nobody who advises."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from bench.failover.rig import BALANCER, Rig
from testbed import process

# Ends with the bench, however that ends.
_BURN = """
import os
parent = os.getppid()
while os.getppid() == parent:
    for _ in range(1_000_000):
        pass
"""


@contextmanager
def busy(processor: int | None = None) -> Iterator[None]:
    """A busy loop, on one processor where that is given; in a session of its own."""
    child = process.start("a busy loop", [sys.executable, "-c", _BURN])
    try:
        if processor is not None:
            os.sched_setaffinity(child.pid, {processor})
        yield
    finally:
        child.end()


@contextmanager
def no_advice(rig: Rig) -> Iterator[None]:
    shell = rig.shell(BALANCER)
    try:
        shell.run("systemctl stop load_balancer")
        yield
    finally:
        shell.run("systemctl start load_balancer")
