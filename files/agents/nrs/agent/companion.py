"""Keeps a second process beside an agent, for what may block: HTTP, DNS and host figures.

The companion gets its work on its standard input, one line of JSON, and talks to its agent over
the agent's control socket. It ends when its standard input does, which the agent's end causes
however it comes. What it does is in `tasks.py`. A thread starts it: until the new process runs its
program, which takes a while where many want a processor, whoever starts it waits.
"""

from __future__ import annotations

import json
import logging
import os
import subprocess
import sys
import threading
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
_TEND_INTERVAL_S = 1.0


class Companion:
    """Keeps `python -m MODULE SOCKET` running from `start` to `stop`."""

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
        self._given: dict[str, Any] | None = None
        self._started = 0.0
        self._delay = _FIRST_DELAY_S
        self._next_start = 0.0
        self._restarting = False
        self._failure: int | None = None
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="companion", daemon=True)

    def start(self) -> None:
        """Start the process, and keep it running; does not wait."""
        self._thread.start()

    def _run(self) -> None:
        while not self._ending.is_set():
            self.tend()
            self._ending.wait(_TEND_INTERVAL_S)

    def tend(self) -> None:
        """Start the process if none runs, later each time that it has ended."""
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
                self._launch()
                return
            log.warning("%s ended with status %d", self._command[2], status)
            self._later()
        elif now >= self._next_start:
            self._launch()

    def _launch(self) -> None:
        """Where the host has no room for one, `tend` tries again."""
        self._started = self._clock()
        try:
            process = subprocess.Popen(self._command, stdin=subprocess.PIPE, bufsize=0)
        except OSError as error:
            if error.errno != self._failure:
                log.error("%s cannot be started: %s", self._command[2], error.strerror)
            self._failure = error.errno
            self._later()
            return
        self._failure = None
        if process.stdin is not None:
            os.set_blocking(process.stdin.fileno(), False)
            # Before anybody else can write: the work comes first.
            self._given = self._work()
            with suppress(OSError):
                process.stdin.write(json.dumps(self._given).encode() + b"\n")
        self._process = process

    def _later(self) -> None:
        self._next_start = self._clock() + self._delay
        self._delay = min(2 * self._delay, _LONGEST_DELAY_S)

    def hurry(self) -> None:
        """Have the urgent tasks done at once; never waits."""
        self._say(b"!")

    def restart(self) -> None:
        """Have the process replaced, so that it works as the agent now does; does not wait."""
        process = self._process
        if process is not None:
            self._restarting = True
            process.terminate()

    def renew(self) -> None:
        """`restart`, where its work is another than the process was given."""
        if self._work() != self._given:
            self.restart()

    def stop(self) -> None:
        """End the process, for good."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join()
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
        process = self._process
        if process is not None and process.stdin is not None:
            # A full pipe has been asked already; one that ended is started again by `tend`.
            with suppress(OSError, ValueError):
                process.stdin.write(what)

    def _release(self) -> None:
        process, self._process = self._process, None
        if process is not None and process.stdin is not None:
            process.stdin.close()
