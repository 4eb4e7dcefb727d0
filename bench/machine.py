"""What the figures were measured on, and what else ran there meanwhile."""

from __future__ import annotations

import os
import platform
import time
from dataclasses import dataclass
from pathlib import Path

from testbed import proc

_QUIET_PERCENT = 5


@dataclass(frozen=True)
class Usage:
    """Of all processors together, in seconds since the machine has started."""

    busy: float
    stolen: float
    """By other virtual machines."""
    idle: float


def parse_usage(text: str) -> Usage:
    """The first line of /proc/stat (proc(5))."""
    user, nice, system, idle, waiting, irq, softirq, stolen = (
        int(word) * proc.TICK_S for word in text.splitlines()[0].split()[1:9]
    )
    return Usage(user + nice + system + irq + softirq, stolen, idle + waiting)


def disturbance(before: Usage, after: Usage, own: float) -> str:
    """What others took while the benchmark used `own` seconds; a warning where it is much."""
    stolen = after.stolen - before.stolen
    others = max(0.0, after.busy - before.busy - own)
    total = stolen + after.busy - before.busy + after.idle - before.idle
    percents = [100 * part / total if total else 0.0 for part in (others, stolen)]
    text = (
        f"meanwhile other processes used {percents[0]:.0f} % of the processors,"
        f" other virtual machines {percents[1]:.0f} %"
    )
    if sum(percents) > _QUIET_PERCENT:
        return f"{text}: measure again on a quiet machine"
    return text


class Watch:
    """The machine from now on."""

    def __init__(self) -> None:
        load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
        self.described = f"{time.strftime('%Y-%m-%d %H:%M')}, {hardware()}, load before {load}"
        self._before = _usage()
        self._own = proc.seconds([os.getpid()])

    def disturbance(self) -> str:
        """See the function of this name."""
        own = proc.seconds([os.getpid()]) - self._own
        return disturbance(self._before, _usage(), own)


def hardware() -> str:
    """Processors and kernel."""
    return f"{os.cpu_count()} x {_processor()}, Linux {platform.release()}"


def _usage() -> Usage:
    return parse_usage(Path("/proc/stat").read_text(encoding="ascii"))


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
