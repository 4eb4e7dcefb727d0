"""Tells the endpoints that have traffic of a change of this router's state, unasked.

Many at once would hold up the packets of all: a turn of the loop sends for a millisecond,
and whatever is waiting goes between two turns. The others hear it with their next PROBE.
"""

from __future__ import annotations

from collections import deque

from nrs.router.session_table import Device, SessionTable
from nrs.tunnel.engine import Engine
from nrs.tunnel.loop import PacketLoop, Timer
from nrs.tunnel.wire import RouterFlag, Type

HEARD_S = 1.0
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
        self._flags = RouterFlag(0)
        self._timer: Timer | None = None

    def announce(self, flags: RouterFlag) -> None:
        """Tell everybody `flags`; what was not sent of an announcement before is dropped."""
        self._flags = flags
        self._waiting = deque(self._table)
        if self._timer is None:
            self._send()

    def close(self) -> None:
        """Send nothing any more."""
        if self._timer is not None:
            self._timer.cancel()
        self._waiting.clear()

    def _send(self) -> None:
        self._timer = None
        until = self._loop.clock() + _TURN_S
        since = self._loop.now - HEARD_S
        while self._waiting:
            for _ in range(min(_BETWEEN_CLOCKS, len(self._waiting))):
                session = self._waiting.popleft().current
                if session is not None and session.last_received >= since:
                    self._engine.send_control(session, Type.ROLE, flags=self._flags)
            if self._waiting and self._loop.clock() >= until:
                self._timer = self._loop.call_later(0.0, self._send)
                return
