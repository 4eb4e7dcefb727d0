"""Tells the endpoints of a change of this router's state, unasked: those with traffic first.

Many at once would hold up the packets of all: a turn of the loop sends for a millisecond,
and whatever is waiting goes between two turns. Idle endpoints are told too, so that their
next packet takes another way; what is lost, they hear with their next PROBE_ACK.
"""

from __future__ import annotations

from collections import deque

from nrs.router.session_table import DEAD_S, Device, SessionTable
from nrs.tunnel.engine import Engine
from nrs.tunnel.loop import PacketLoop, Timer
from nrs.tunnel.wire import RouterFlag, Type

BUSY_S = 1.0
"""An endpoint with traffic probes every few milliseconds: this recently, it was heard."""

_TURN_S = 0.001
_BETWEEN_CLOCKS = 8


class Announcer:
    """Sends ROLE to the endpoints of `table`, a few in each turn of the loop."""

    def __init__(self, loop: PacketLoop, engine: Engine, table: SessionTable) -> None:
        self._loop = loop
        self._engine = engine
        self._table = table
        self._waiting: deque[Device] = deque()
        self._idle: deque[Device] = deque()
        self._flags = RouterFlag(0)
        self._timer: Timer | None = None

    def announce(self, flags: RouterFlag) -> None:
        """Tell everybody `flags`; what was not sent of an announcement before is dropped."""
        self._flags = flags
        self._waiting = deque(self._table)
        self._idle = deque()
        if self._timer is None:
            self._send()

    def close(self) -> None:
        """Send nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._waiting.clear()
        self._idle.clear()

    def _send(self) -> None:
        self._timer = None
        until = self._loop.clock() + _TURN_S
        while self._waiting or self._idle:
            for _ in range(_BETWEEN_CLOCKS):
                self._next()
            if (self._waiting or self._idle) and self._loop.clock() >= until:
                self._timer = self._loop.call_later(0.0, self._send)
                return

    def _next(self) -> None:
        busy = bool(self._waiting)
        if not busy and not self._idle:
            return
        device = (self._waiting if busy else self._idle).popleft()
        session = device.current
        if session is None:
            return
        silent = self._loop.now - session.last_received
        if busy and BUSY_S < silent < DEAD_S:
            self._idle.append(device)
        elif silent < DEAD_S:
            self._engine.send_control(session, Type.ROLE, flags=self._flags)
