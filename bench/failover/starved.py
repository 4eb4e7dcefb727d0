"""`bin/bench starved`: hosts without processor time, on which nothing else is wrong.

On the lab's hosts four busy loops a processor, each in a session of its own, want what the agents
want too: at both ends, or at one, as the endpoint and the routers have processors of their own
where there are two or more. First nothing fails, beside the traffic of `bin/bench failover`: every
switch is a false one. Then the router in use is killed or silenced, and the gap is measured.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench import document
from bench.arguments import add_names, positive
from bench.failover import labs, trial
from bench.failover.conditions import busy, no_advice
from bench.failover.faults import FAULTS
from bench.failover.rig import ENDPOINT, ENDPOINT_UNIT, ROUTER_UNIT, Rig
from bench.failover.summary import percentile
from bench.failover.trial import Left, Setting
from bench.machine import Watch
from bench.progress import progress
from bench.settings import Places
from bench.table import number, plain
from testbed.failed import Failed
from testbed.wait import wait_until

_LOOPS = 4
_FAULTS = ("kill", "blackhole")
_ENDS = ("both", "endpoint", "routers")
_HEALTHY_S = 60.0
_SETTLE_S = 2.0
_STRETCH_S = 30.0
"""Traffic begins anew this often."""
_POLL_S = 0.05
_ATTEMPTS = 3
_HEAD = ("starved", "seconds", "false failovers", "trials", "gap ms p50", "max", "waited ms")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this part."""
    parser.add_argument(
        "--seconds", type=positive, default=600, help="without a fault, of each; default: 600"
    )
    parser.add_argument(
        "--trials", type=positive, default=6, help="of a fault, of each; default: 6"
    )
    add_names(parser, "--ends", "end", _ENDS)
    parser.add_argument(
        "--mbps", type=positive, default=50, help="of the TCP flow beside the echo; default: 50"
    )
    labs.add_arguments(parser)


@dataclass
class Found:
    """With one end starved, or both."""

    seconds: float = 0.0
    false_failovers: int = 0
    gaps_ms: list[float] = field(default_factory=list)
    waited_ms: float = 0.0
    """The longest that a packet loop has waited for a processor within a turn."""

    def report(self) -> dict[str, Any]:
        """For the closing line."""
        return {
            "seconds": round(self.seconds),
            "false_failovers": self.false_failovers,
            "gaps_ms": [round(gap, 1) for gap in self.gaps_ms],
            "waited_ms": self.waited_ms,
        }


def measure(options: argparse.Namespace, places: Places) -> int:
    """Measure, print, and return the exit status: 0 unless a measurement was broken."""
    watch = Watch()
    found: dict[str, Found] = {}
    broken: list[str] = []
    try:
        with labs.lab(options, places) as at, labs.rig(at) as rig, no_advice(rig):
            for ends in options.ends:
                found[ends] = Found()
                _measure(options, rig, ends, found[ends], broken)
    finally:
        if found:
            show(watch, options, found, broken)
    return 1 if broken else 0


def _measure(
    options: argparse.Namespace, rig: Rig, ends: str, found: Found, broken: list[str]
) -> None:
    progress(f"starved: {ends}")
    setting = Setting(rig, options.mbps)
    try:
        wait_until(rig.healthy, _HEALTHY_S, "two healthy tunnels")
        with _starving(rig, ends):
            _nothing_fails(options.seconds, setting, found)
            _routers_fail(options.trials, setting, ends, found, broken)
    except (Failed, OSError, ValueError) as error:
        broken.append(f"{ends}: {error}")
        progress(broken[-1])


def _nothing_fails(seconds: float, setting: Setting, found: Found) -> None:
    number = 0
    while found.seconds < seconds:
        with setting.traffic(number) as traffic:
            time.sleep(_SETTLE_S)
            began = time.monotonic()
            end = began + min(_STRETCH_S, seconds - found.seconds)
            found.false_failovers += _switches(setting.rig, end)
            found.seconds += time.monotonic() - began
            traffic.end_bulk()
        found.waited_ms = float(setting.rig.status()["longest_wait_ms"])
        progress(f"{found.seconds:.0f} s: {found.false_failovers} false failovers")
        number += 1


def _switches(rig: Rig, end: float) -> int:
    """How often the active router changes until then."""
    before, changes = rig.active(), 0
    while time.monotonic() < end:
        active = rig.active()
        if active != before:
            progress(f"from {before} to {active}")
            before, changes = active, changes + 1
        time.sleep(_POLL_S)
    return changes


def _routers_fail(
    trials: int, setting: Setting, ends: str, found: Found, broken: list[str]
) -> None:
    failures = 0
    while len(found.gaps_ms) < trials and failures < _ATTEMPTS:
        fault = _FAULTS[len(found.gaps_ms) % len(_FAULTS)]
        try:
            wait_until(setting.rig.healthy, _HEALTHY_S, "two healthy tunnels before a trial")
            _place(setting.rig)  # the one that was killed has another process
            router = setting.rig.active()
            if router is None:
                raise Failed("the endpoint uses no router")
            one = trial.of_fault(setting, FAULTS[fault], router, len(found.gaps_ms))
        except Left as error:
            found.false_failovers += 1
            failures += 1
            progress(str(error))
        except (Failed, OSError, ValueError) as error:
            failures += 1
            broken.append(f"{ends}, {fault}: {error}")
            progress(broken[-1])
        else:
            found.gaps_ms.append(one.outage.gap_ms)
            progress(f"{fault}: gap {one.outage.gap_ms:.1f} ms")


def ends_of(processors: list[int]) -> tuple[set[int], set[int]]:
    """The endpoint's processors and the routers': the same where there is one. Pure."""
    half = len(processors) // 2
    return (set(processors[:half] or processors), set(processors[half:]))


def _place(rig: Rig) -> None:
    """Give each end its processors."""
    near, far = ends_of(sorted(os.sched_getaffinity(0)))
    agents = [(rig.agent(router, ROUTER_UNIT), far) for router in rig.routers()]
    for pid, processors in (*agents, (rig.agent(ENDPOINT, ENDPOINT_UNIT), near)):
        for task in Path(f"/proc/{pid}/task").iterdir():
            with suppress(ProcessLookupError):
                os.sched_setaffinity(int(task.name), processors)


@contextmanager
def _starving(rig: Rig, ends: str) -> Iterator[None]:
    near, far = ends_of(sorted(os.sched_getaffinity(0)))
    loaded = {"both": near | far, "endpoint": near, "routers": far}[ends]
    _place(rig)
    with ExitStack() as stack:
        for processor in sorted(loaded) * _LOOPS:
            stack.enter_context(busy(processor))
        time.sleep(_SETTLE_S)
        yield


def show(
    watch: Watch, options: argparse.Namespace, found: dict[str, Found], broken: list[str]
) -> None:
    """Print it all."""
    print(watch.described)
    print(watch.disturbance())
    rows = [_HEAD, *(_row(ends, own) for ends, own in found.items())]
    for line in ("", *plain(rows), "", *(f"not measured: {text}" for text in broken)):
        print(line)
    document.show(options.origin, rows)
    print(json.dumps({"starved": {ends: own.report() for ends, own in found.items()}}))
    sys.stdout.flush()


def _row(ends: str, own: Found) -> tuple[str, ...]:
    gaps = own.gaps_ms
    return (
        ends,
        f"{own.seconds:.0f}",
        str(own.false_failovers),
        str(len(gaps)),
        number(percentile(gaps, 50) if gaps else None, 1),
        number(max(gaps, default=None), 1),
        number(own.waited_ms, 1),
    )
