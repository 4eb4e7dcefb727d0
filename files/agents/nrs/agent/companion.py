"""Keeps a second process beside an agent, for what may block: HTTP, DNS and host figures.

The companion gets its work on its standard input, one line of JSON, and talks to its agent over
the agent's control socket. It ends when its standard input does, which the agent's end causes
however it comes. What it does is in `tasks.py`.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

_FIRST_DELAY_S = 1.0
_LONGEST_DELAY_S = 30.0
_HEALTHY_AFTER_S = 60.0
_STOP_TIMEOUT_S = 2.0


class Companion:
    """Keeps `python -m MODULE SOCKET` running; call `tend` about once a second."""

    def __init__(
        self,
        module: str,
        control: Path,
        work: Callable[[], dict[str, Any]],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`work` tells at each start what the agent now runs with, at most 60 KB of JSON."""
        self._command = [sys.executable, "-m", module, str(control)]
        self._work = work
        self._clock = clock
        self._process: subprocess.Popen[bytes] | None = None
        self._started = 0.0
        self._delay = _FIRST_DELAY_S
        self._next_start = 0.0
        self._restarting = False
        self._failure: int | None = None

    def start(self) -> None:
        """Start the process; where the host has no room for one, `tend` tries again."""
        self._started = self._clock()
        try:
            self._process = subprocess.Popen(self._command, stdin=subprocess.PIPE, bufsize=0)
        except OSError as error:
            if error.errno != self._failure:
                log.error("%s cannot be started: %s", self._command[2], error.strerror)
            self._failure = error.errno
            self._later()
            return
        self._failure = None
        if self._process.stdin is not None:
            os.set_blocking(self._process.stdin.fileno(), False)
        self._say(json.dumps(self._work()).encode() + b"\n")

    def tend(self) -> None:
        """Start the process again if it has ended, later each time."""
        now = self._clock()
        if self._process is not None:
            status = self._process.poll()
            if status is None:
                if now - self._started > _HEALTHY_AFTER_S:
                    self._delay = _FIRST_DELAY_S
                return
            self._release()
            if self._restarting:
                self._restarting = False
                self.start()
                return
            log.warning("%s ended with status %d", self._command[2], status)
            self._later()
        elif now >= self._next_start:
            self.start()

    def _later(self) -> None:
        self._next_start = self._clock() + self._delay
        self._delay = min(2 * self._delay, _LONGEST_DELAY_S)

    def hurry(self) -> None:
        """Have the urgent tasks done at once; never waits."""
        self._say(b"!")

    def restart(self) -> None:
        """Have the process replaced, so that it works as the agent now does; does not wait."""
        if self._process is not None:
            self._restarting = True
            self._process.terminate()

    def stop(self) -> None:
        """End the process."""
        if self._process is None:
            return
        if self._process.poll() is None:
            self._process.terminate()
            try:
                self._process.wait(_STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        self._release()

    def _say(self, what: bytes) -> None:
        if self._process is not None and self._process.stdin is not None:
            # A full pipe has been asked already; one that ended is started again by `tend`.
            with suppress(OSError):
                self._process.stdin.write(what)

    def _release(self) -> None:
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
        self._process = None
