"""Which tunnel a flow belongs to. Pure: flow keys, TCP flags and times in, router ids out.

A flow stays on the tunnel where it began, because its NAT state is at that tunnel's
router, until it is closed or has been idle for longer than NAT keeps it. New flows go
where the endpoint sends now. Only a failed tunnel gives all its flows up at once.

    unknown, closed or idle  -- a packet -->  the tunnel of new flows
    known                    -- a packet -->  its own tunnel
    known                    -- SYN alone -->  the tunnel of new flows: the ports are used again
    known                    -- FIN or RST -->  closing: kept for a moment, for what follows
    any                      -- its tunnel is released -->  unknown
"""

from __future__ import annotations

from collections import Counter, OrderedDict
from typing import NamedTuple, Protocol

TCP, UDP = 6, 17
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

TCP_IDLE_S = 3600.0
UDP_IDLE_S = 180.0
OTHER_IDLE_S = 30.0
CLOSING_S = 10.0
MOST_FLOWS = 65_536


_SWEPT = 2000
"""Flows looked at in one sweep: what takes about a millisecond."""


class Memory(Protocol):
    """Keeps for a later process which tunnel a flow is on."""

    def keep(self, flow: bytes, tunnel: str, slot: int | None) -> int | None:
        """Take it down; where it is. `slot` is where the flow is already."""

    def forget(self, slot: int) -> None:
        """The flow there is over."""


class _Entry(NamedTuple):
    tunnel: str
    last: float
    closing: bool
    slot: int | None


class FlowTable:
    """Flows by key, the one not heard of for longest first.

    A key begins with the protocol number; beyond that it is opaque.
    """

    def __init__(self, most: int = MOST_FLOWS, memory: Memory | None = None) -> None:
        self._most = most
        self._memory = memory
        self._flows: OrderedDict[bytes, _Entry] = OrderedDict()
        self._counts: Counter[str] = Counter()
        self._to_sweep: list[bytes] = []

    def tunnel(self, flow: bytes, tcp_flags: int, now: float, fresh: str) -> str:
        """The tunnel for a packet of `flow`; `fresh` is the one for new flows.

        `tcp_flags` is 0 for other protocols, `now` in seconds of any steady clock.
        """
        known = self._flows.pop(flow, None)
        tunnel, closing, slot = fresh, False, None
        if known is not None:
            own, last, closing, slot = known
            self._counts[own] -= 1
            if now - last <= _patience(flow, closing) and tcp_flags & (SYN | ACK) != SYN:
                tunnel = own
            else:
                closing = False
        elif len(self._flows) >= self._most:
            self._drop(next(iter(self._flows)))
        if tcp_flags & (FIN | RST):
            closing = True
        if self._memory is not None and (known is None or known.tunnel != tunnel):
            slot = self._memory.keep(flow, tunnel, slot)
        self._flows[flow] = _Entry(tunnel, now, closing, slot)
        self._counts[tunnel] += 1
        return tunnel

    def restore(self, flow: bytes, tunnel: str, now: float, slot: int) -> None:
        """A flow that an earlier process has kept in `slot` counts as heard of `now`."""
        self._flows[flow] = _Entry(tunnel, now, False, slot)
        self._counts[tunnel] += 1

    def release(self, tunnel: str, *, but_tcp: bool = False) -> list[bytes]:
        """Give up the flows of a tunnel that is of no use any more.

        Those that were not being closed, the one heard of last first. `but_tcp` leaves TCP,
        which a new address would break.
        """
        gone = [
            (flow, entry.closing)
            for flow, entry in reversed(self._flows.items())
            if entry.tunnel == tunnel and not (but_tcp and flow[0] == TCP)
        ]
        for flow, _ in gone:
            self._drop(flow)
        return [flow for flow, closing in gone if not closing]

    def sweep(self, now: float) -> None:
        """Forget flows that are idle or closed, some in each call; call about once a second."""
        if not self._to_sweep:
            self._to_sweep = list(self._flows)
        for flow in self._to_sweep[-_SWEPT:]:
            entry = self._flows.get(flow)
            if entry is not None and now - entry.last > _patience(flow, entry.closing):
                self._drop(flow)
        del self._to_sweep[-_SWEPT:]

    def count(self, tunnel: str) -> int:
        """Flows of a tunnel, of which some may be over and not swept yet."""
        return self._counts[tunnel]

    def __len__(self) -> int:
        return len(self._flows)

    def _drop(self, flow: bytes) -> None:
        entry = self._flows.pop(flow)
        self._counts[entry.tunnel] -= 1
        if self._memory is not None and entry.slot is not None:
            self._memory.forget(entry.slot)


def _patience(flow: bytes, closing: bool) -> float:
    """How long a flow may be silent before it counts as over, in seconds."""
    if closing:
        return CLOSING_S
    return {TCP: TCP_IDLE_S, UDP: UDP_IDLE_S}.get(flow[0], OTHER_IDLE_S)
