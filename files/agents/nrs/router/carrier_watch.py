"""Looks after the egress link's carrier while packets flow, in a thread.

The kernel tells of a lost carrier by itself, but no more than once a second over all links
(net/core/link_watch.c): where another link has just changed, as when a switch dies or a link
flaps, its word comes up to a second late.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

INTERVAL_S = 0.02
_IDLE_S = 0.1
"""Between two questions whether packets flow, while none do."""


class CarrierWatch:
    """Calls `changed`, in its own thread, with what has become of the carrier.

    The link is taken to have one at first. It is asked for while `busy`, and as long as it
    is lost.
    """

    def __init__(
        self,
        ask: Callable[[], bool | None],
        busy: Callable[[], bool],
        changed: Callable[[bool], None],
        interval: float = INTERVAL_S,
        idle: float = _IDLE_S,
    ) -> None:
        self._ask = ask
        self._busy = busy
        self._changed = changed
        self._interval = interval
        self._idle = idle
        self._carrier = True
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="carrier", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no longer; does not wait for the kernel."""
        self._stopping.set()

    def look(self) -> float:
        """Ask once, if that is called for; the seconds until it may be again."""
        if self._carrier and not self._busy():
            return self._idle
        carrier = self._ask()
        if carrier is not None and carrier is not self._carrier and not self._stopping.is_set():
            self._carrier = carrier
            self._changed(carrier)
        return self._interval

    def _run(self) -> None:
        wait = self._interval
        while not self._stopping.wait(wait):
            wait = self.look()
