"""Looks after the egress link's carrier while packets flow, in a thread.

The kernel tells of a lost carrier by itself, but no more than once a second over all links
(net/core/link_watch.c): where another link has just changed, as when a switch dies or a link
flaps, its word comes up to a second late.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

INTERVAL_S = 0.02


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
    ) -> None:
        self._ask = ask
        self._busy = busy
        self._changed = changed
        self._interval = interval
        self._carrier = True
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="carrier", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self._thread.start()

    def stop(self) -> None:
        """Look no longer; does not wait for the kernel."""
        self._stopping.set()

    def look(self) -> None:
        """Ask once, if that is called for."""
        if self._carrier and not self._busy():
            return
        carrier = self._ask()
        if carrier is not None and carrier is not self._carrier and not self._stopping.is_set():
            self._carrier = carrier
            self._changed(carrier)

    def _run(self) -> None:
        while not self._stopping.wait(self._interval):
            self.look()
