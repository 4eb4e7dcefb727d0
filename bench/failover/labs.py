"""The lab that a part is measured on: one of its own, or one that is there."""

from __future__ import annotations

import argparse
import os
import signal
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.failover.rig import Rig
from bench.progress import progress
from bench.settings import CHECKOUT, Places
from lab.settings import Settings, from_environment
from testbed import process
from testbed.failed import Failed

LAB_NAME = "nrsbench"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of every part that needs one."""
    parser.add_argument(
        "--keep", action="store_true", help="leave the benchmark's lab up for the next time"
    )
    parser.add_argument(
        "--deployed",
        action="store_true",
        help="use the lab of NRS_LAB_ROOT and NRS_LAB_NAME as it is, and leave it up",
    )


@contextmanager
def lab(options: argparse.Namespace, places: Places) -> Iterator[Settings]:
    """A lab in which the checkout is deployed."""
    if options.deployed:
        yield from_environment()
        return
    environment = {
        **os.environ,
        "NRS_LAB_NAME": LAB_NAME,
        "NRS_LAB_ROOT": str(places.root / "lab"),
    }
    try:
        progress("deploying the checkout on the benchmark's lab, about three minutes")
        _bin_lab("up", environment, places.root / "lab-up.log")
        yield from_environment(environment)
    finally:
        if not options.keep:
            _bin_lab("down", environment, places.root / "lab-down.log")


def _bin_lab(word: str, environment: Mapping[str, str], log: Path) -> None:
    child = process.start(
        f"bin/lab {word}", [CHECKOUT / "bin" / "lab", word], log=log, env=environment
    )
    try:
        status = child.process.wait()
    except BaseException:
        # With what it has started, such as Ansible.
        with suppress(ProcessLookupError):
            os.killpg(child.pid, signal.SIGTERM)
        child.process.wait()
        raise
    if status:
        raise Failed(f"{child.name}: exit {status}, its output is {log}\n{child.tail}")


@contextmanager
def rig(settings: Settings) -> Iterator[Rig]:
    own = Rig(settings)
    try:
        yield own
    finally:
        own.close()
