"""Progress on standard error, with the time since the start in front."""

from __future__ import annotations

import sys
import time


class Progress:
    def __init__(self) -> None:
        self._start = time.monotonic()

    def say(self, text: str) -> None:
        elapsed = time.monotonic() - self._start
        for line in text.splitlines():
            print(f"[{elapsed:6.1f} s] {line}", file=sys.stderr, flush=True)
