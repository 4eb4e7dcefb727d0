"""Signs that trains are damaged, in what is lost of one direction. Pure.

Over a tenth of a second loss shows that something may be wrong. From one answered PROBE to the
next, 10 ms under traffic, only what loses about half of all stands out: as damaged trains of more
than two datagrams do, chance and queues hardly.
"""

from __future__ import annotations

_LEAST = 10
"""Of so many datagrams that were sent, or more, what is lost says something."""
_SOME, _WINDOW_S = 0.10, 0.1
_HEAVY = 0.4


class LossSigns:
    """Those since `forget`; `observe` what has been sent and received by and by."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """What has been lost by now says nothing."""
        self.some = False
        """Whether more than a tenth was lost within a tenth of a second."""
        self.heavy = False
        """Whether as much was lost in a moment as damaged trains lose."""
        self._window: tuple[int, int, float] | None = None
        self._moment = 0, 0

    def observe(self, sent: int, received: int, now: float) -> None:
        """Datagrams that were sent and received by `now`; a session counts from nothing."""
        if self._window is None or sent < self._moment[0]:
            self._window, self._moment = (sent, received, now), (sent, received)
            return
        before = self._moment
        self.heavy |= _lost(sent - before[0], received - before[1]) > _HEAVY
        if sent - before[0] >= _LEAST:
            self._moment = sent, received
        first_sent, first_received, since = self._window
        if now - since >= _WINDOW_S:
            self.some |= _lost(sent - first_sent, received - first_received) > _SOME
            self._window = sent, received, now


def _lost(sent: int, received: int) -> float:
    """The share; 0 where too few were sent to tell."""
    return 1 - received / sent if sent >= _LEAST else 0.0
