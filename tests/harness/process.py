"""Running one tool: its output passed on as it comes, its time bounded."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Ended:
    """How a tool ended: its exit status (None where its time ran out) and all it printed."""

    status: int | None
    output: str
    seconds: float

    @property
    def ok(self) -> bool:
        return self.status == 0


def run(
    command: Sequence[str | Path],
    *,
    cwd: Path,
    env: Mapping[str, str],
    limit: float,
    at_once: bool = True,
) -> Ended:
    """Run a command for at most `limit` seconds; it and all it started are ended then.

    What it prints is passed on at once, or is for the caller to do.
    """
    started = time.monotonic()
    process = subprocess.Popen(
        [str(word) for word in command],
        cwd=cwd,
        env=dict(env),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    timed_out = threading.Event()

    def out_of_time() -> None:
        timed_out.set()
        _end(process)

    timer = threading.Timer(limit, out_of_time)
    timer.start()
    lines: list[str] = []
    try:
        assert process.stdout is not None
        for line in process.stdout:
            if at_once:
                sys.stdout.write(line)
                sys.stdout.flush()
            lines.append(line)
        process.wait()
    except BaseException:
        _end(process)
        raise
    finally:
        timer.cancel()
    if timed_out.is_set():
        lines.append(f"not finished after {limit:.0f} s, ended\n")
        if at_once:
            print(lines[-1], end="")
    status = None if timed_out.is_set() else process.returncode
    return Ended(status, "".join(lines), time.monotonic() - started)


def _end(process: subprocess.Popen[str]) -> None:
    """First a chance to clean up, then none."""
    steps = [(signal.SIGINT, 20), (signal.SIGTERM, 5), (signal.SIGKILL, 5)]
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        del steps[0]  # inherited, as by what a shell starts in the background
    for number, patience in steps:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        with suppress(subprocess.TimeoutExpired):
            process.wait(patience)
            break
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
