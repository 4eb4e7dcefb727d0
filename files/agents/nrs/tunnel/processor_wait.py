"""How long the kernel has kept a thread waiting for a processor."""

from __future__ import annotations

import os

_FILE = "/proc/thread-self/schedstat"
"""Nanoseconds on a processor, nanoseconds of waiting for one, time slices (sched-stats.rst)."""


class ProcessorWait:
    """Of the thread that makes it."""

    def __init__(self) -> None:
        try:
            self._fd: int | None = os.open(_FILE, os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._fd = None

    def read(self) -> float:
        """Seconds so far; 0 where the kernel does not say."""
        if self._fd is None:
            return 0.0
        return int(os.pread(self._fd, 100, 0).split()[1]) * 1e-9

    def close(self) -> None:
        """Release the descriptor."""
        if self._fd is not None:
            os.close(self._fd)
