"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import time
from pathlib import Path


def described() -> str:
    """One line: date, processors, kernel, load."""
    load = ", ".join(f"{value:.2f}" for value in os.getloadavg())
    return (
        f"{time.strftime('%Y-%m-%d %H:%M')}, {os.cpu_count()} x {_processor()},"
        f" Linux {platform.release()}, load before {load}"
    )


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()
