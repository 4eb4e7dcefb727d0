"""Views that wait without a thread: long polls and server-sent events.

A view answers with an iterable that yields `Wait` where there is nothing to say yet:

    def news() -> Iterator[bytes | Wait]:
        seen = bell.rung
        while (found := look()) is None:
            yield Wait(bell, seen, 25.0)
            seen = bell.rung
        yield to_json(found)

The server goes on with it, in one of its threads, when the bell has rung or the seconds are over.
It runs outside of the request's context. Where the client leaves or the service stops, it is
closed.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass


class Bell:
    """Wakes all who wait for it; any thread may ring."""

    def __init__(self) -> None:
        self.rung = 0
        """How often; read it before looking, so that nothing is missed in between."""
        self._lock = threading.Lock()
        self._waiting: set[Callable[[], None]] = set()

    def ring(self) -> None:
        """There is something to look at."""
        with self._lock:
            self.rung += 1
            woken, self._waiting = self._waiting, set()
        for wake in woken:
            wake()

    def listen(self, seen: int, wake: Callable[[], None]) -> bool:
        """Have `wake` called at the next ring, in its thread; False where it has rung since."""
        with self._lock:
            if self.rung != seen:
                return False
            self._waiting.add(wake)
            return True

    def leave(self, wake: Callable[[], None]) -> None:
        """Do not call `wake`; it may have been called already."""
        with self._lock:
            self._waiting.discard(wake)


@dataclass(frozen=True)
class Wait:
    """Until `bell` has rung more than `seen` times, `seconds` at most."""

    bell: Bell
    seen: int
    seconds: float
