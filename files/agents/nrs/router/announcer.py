"""Paces an announcement to the endpoints.

Many at once would hold up the packets of all: a turn of the loop sends for a millisecond,
and whatever is waiting goes between two turns.
"""

from __future__ import annotations

from collections.abc import Callable

from nrs.tunnel.loop import PacketLoop, Timer

_TURN_S = 0.001
_BETWEEN_CLOCKS = 8


class Announcer:
    """Calls `tell_next` a few times in each turn, until it says that nobody is left."""

    def __init__(self, loop: PacketLoop, tell_next: Callable[[], bool]) -> None:
        """`tell_next` looks at one endpoint; False: there was none."""
        self._loop = loop
        self._tell_next = tell_next
        self._timer: Timer | None = None

    def begin(self) -> None:
        """Go on until all are told."""
        if self._timer is None:
            self._send()

    def close(self) -> None:
        """Tell nobody any more."""
        if self._timer is not None:
            self._timer.cancel()

    def _send(self) -> None:
        self._timer = None
        until = self._loop.clock() + _TURN_S
        while all(self._tell_next() for _ in range(_BETWEEN_CLOCKS)):
            if self._loop.clock() >= until:
                self._timer = self._loop.call_later(0.0, self._send)
                return
