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
from typing import Protocol

TCP, UDP = 6, 17
FIN, SYN, RST, ACK = 0x01, 0x02, 0x04, 0x10

TCP_IDLE_S = 3600.0
UDP_IDLE_S = 180.0
OTHER_IDLE_S = 30.0
CLOSING_S = 10.0
MOST_FLOWS = 65_536


class Journal(Protocol):
    """Is told of what a later process has to know."""

    def given(self, flow: bytes, tunnel: str) -> None:
        """A flow belongs to a tunnel from now on."""

    def released(self, tunnel: str, *, but_tcp: bool) -> None:
        """A tunnel has given up its flows."""


class FlowTable:
    """Flows by key, the one not heard of for longest first.

    A key begins with the protocol number; beyond that it is opaque.
    """

    def __init__(self, most: int = MOST_FLOWS, journal: Journal | None = None) -> None:
        self._most = most
        self._journal = journal
        # tunnel, last packet, closing
        self._flows: OrderedDict[bytes, tuple[str, float, bool]] = OrderedDict()
        self._counts: Counter[str] = Counter()

    def tunnel(self, flow: bytes, tcp_flags: int, now: float, fresh: str) -> str:
        """The tunnel for a packet of `flow`; `fresh` is the one for new flows.

        `tcp_flags` is 0 for other protocols, `now` in seconds of any steady clock.
        """
        known = self._flows.pop(flow, None)
        tunnel, closing = fresh, False
        if known is not None:
            own, last, closing = known
            self._counts[own] -= 1
            if now - last <= _patience(flow, closing) and tcp_flags & (SYN | ACK) != SYN:
                tunnel = own
            else:
                closing = False
        if tcp_flags & (FIN | RST):
            closing = True
        if self._journal is not None and (known is None or known[0] != tunnel):
            self._journal.given(flow, tunnel)
        self._put(flow, tunnel, now, closing=closing)
        return tunnel

    def restore(self, flow: bytes, tunnel: str, now: float) -> None:
        """A flow that an earlier process has given to a tunnel counts as heard of `now`."""
        known = self._flows.pop(flow, None)
        if known is not None:
            self._counts[known[0]] -= 1
        self._put(flow, tunnel, now, closing=False)

    def _put(self, flow: bytes, tunnel: str, now: float, *, closing: bool) -> None:
        self._flows[flow] = (tunnel, now, closing)
        self._counts[tunnel] += 1
        if len(self._flows) > self._most:
            _, (oldest, _, _) = self._flows.popitem(last=False)
            self._counts[oldest] -= 1

    def release(self, tunnel: str, *, but_tcp: bool = False) -> list[bytes]:
        """Give up the flows of a tunnel that is of no use any more; which they were.

        `but_tcp` leaves TCP, which a new address would break.
        """
        gone = [
            flow
            for flow, (own, _, _) in self._flows.items()
            if own == tunnel and not (but_tcp and flow[0] == TCP)
        ]
        for flow in gone:
            del self._flows[flow]
        self._counts[tunnel] -= len(gone)
        if self._journal is not None and gone:
            self._journal.released(tunnel, but_tcp=but_tcp)
        return gone

    def expire(self, now: float) -> None:
        """Forget the flows that are idle or closed."""
        for flow, (own, last, closing) in list(self._flows.items()):
            if now - last > _patience(flow, closing):
                del self._flows[flow]
                self._counts[own] -= 1

    def count(self, tunnel: str) -> int:
        """Flows of a tunnel, as of the last `expire`."""
        return self._counts[tunnel]

    def __len__(self) -> int:
        return len(self._flows)


def _patience(flow: bytes, closing: bool) -> float:
    """How long a flow may be silent before it counts as over, in seconds."""
    if closing:
        return CLOSING_S
    return {TCP: TCP_IDLE_S, UDP: UDP_IDLE_S}.get(flow[0], OTHER_IDLE_S)
