"""Waiting for something, for a bounded time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

from testbed.failed import Failed

T = TypeVar("T")


class NotInTime(Failed):
    """What was waited for has not come."""


def wait_until(condition: Callable[[], T], seconds: float, what: str, *, every: float = 0.02) -> T:
    """Ask until the answer is true, which it is, for at most so many seconds. Raises NotInTime."""
    deadline = time.monotonic() + seconds
    while not (answer := condition()):
        if time.monotonic() > deadline:
            raise NotInTime(f"not within {seconds:g} s: {what}")
        time.sleep(every)
    return answer
