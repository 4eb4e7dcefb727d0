"""Who is told next of a change of this router's state, unasked: those with traffic first.

Idle endpoints are told too, so that their next packet takes another way; what is lost, they hear
with their next PROBE_ACK. Pure.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from nrs.router.session_table import DEAD_S, Device, Sessions

BUSY_S = 1.0
"""An endpoint with traffic probes every few milliseconds: this recently, it was heard."""


class Announcement:
    """The devices that have not been told yet."""

    def __init__(self, devices: Iterable[Device] = ()) -> None:
        self._waiting = deque(devices)
        self._idle: deque[Device] = deque()

    @property
    def over(self) -> bool:
        """Whether nobody is left."""
        return not self._waiting and not self._idle

    def next(self, now: float, sessions: Sessions) -> int:
        """Look at one device: the session through which it is told, 0 where it is not told now."""
        first = bool(self._waiting)
        device = (self._waiting if first else self._idle).popleft()
        silent = device.silent(now, sessions)
        if first and BUSY_S < silent < DEAD_S:
            self._idle.append(device)
        elif device.current is not None and silent < DEAD_S:
            return device.current.index
        return 0
