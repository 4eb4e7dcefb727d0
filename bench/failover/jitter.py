"""A path whose delay varies, as a process: `python -m bench.failover.jitter PORT TARGET MS`.

It stands between an endpoint and the router TARGET: what arrives at PORT goes on to the router's
port 51820, and what the router answers goes back to whoever sent last. Each way is delayed by up
to MS milliseconds, drawn anew every 50 ms, and packets keep their order, as in a queue
that fills and drains. What the kernel delivers as one train goes on as one train.
"""

from __future__ import annotations

import random
import select
import socket
import struct
import sys
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from bench.failover.echo import before_others

TUNNEL_PORT = 51820
_UDP_SEGMENT, _UDP_GRO = 103, 104
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
_BUFFER_BYTES = 1 << 24
_DRAWN_S = 0.05
_EACH, _SEGMENT = struct.Struct("=i"), struct.Struct("=H")


class Delay:
    """When a packet that arrives now leaves. Pure: `draw` gives a share of the most, 0 to 1."""

    def __init__(self, most_s: float, draw: Callable[[], float]) -> None:
        self._most_s = most_s
        self._draw = draw
        self._present = 0.0
        self._drawn_at = float("-inf")
        self._last = float("-inf")

    def leaves(self, now: float) -> float:
        """Never before a packet that came earlier."""
        if now - self._drawn_at >= _DRAWN_S:
            self._drawn_at = now
            self._present = self._most_s * self._draw()
        self._last = max(self._last, now + self._present)
        return self._last


class _Side:
    """One of the relay's two sockets, its peer, and what waits to be sent by it."""

    def __init__(self, family: int, delay: Delay) -> None:
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        for option in (_SO_SNDBUFFORCE, _SO_RCVBUFFORCE):
            self.socket.setsockopt(socket.SOL_SOCKET, option, _BUFFER_BYTES)
        self.socket.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)
        self.socket.setblocking(False)
        self.peer: Any = None
        self.waiting: deque[tuple[float, bytes, int]] = deque()
        self._delay = delay

    def receive(self, sink: _Side) -> None:
        """Everything that has arrived, to leave by `sink`."""
        with suppress(BlockingIOError):
            while True:
                data, ancillary, _, self.peer = self.socket.recvmsg(70_000, 64)
                each = len(data)
                for level, kind, value in ancillary:
                    if (level, kind) == (socket.IPPROTO_UDP, _UDP_GRO):
                        each = _EACH.unpack_from(value)[0]
                sink.waiting.append((sink.leaves(time.monotonic()), data, each))

    def leaves(self, now: float) -> float:
        return self._delay.leaves(now)

    def send(self, now: float) -> None:
        """What is due."""
        while self.waiting and self.waiting[0][0] <= now:
            _, data, each = self.waiting.popleft()
            if self.peer is None:
                continue
            train = [(socket.IPPROTO_UDP, _UDP_SEGMENT, _SEGMENT.pack(each))]
            with suppress(OSError):  # lost, as on any path
                self.socket.sendmsg([data], train if each < len(data) else [], 0, self.peer)


def relay(port: int, target: str, most_s: float) -> None:
    """Pass on until standard input ends."""
    family = socket.AF_INET6 if ":" in target else socket.AF_INET
    near, far = (_Side(family, Delay(most_s, random.random)) for _ in range(2))
    near.socket.bind(("", port))
    far.socket.connect((target, TUNNEL_PORT))
    far.peer = (target, TUNNEL_PORT)
    others = {near.socket: (near, far), far.socket: (far, near)}
    print("ready", flush=True)
    while True:
        due = [side.waiting[0][0] for side in (near, far) if side.waiting]
        left = max(0.0, min(due) - time.monotonic()) if due else None
        ready, _, _ = select.select([*others, sys.stdin], [], [], left)
        for key in ready:
            if not isinstance(key, socket.socket):
                return
            source, sink = others[key]
            with suppress(ConnectionError):  # an ICMP error about what was sent
                source.receive(sink)
        for side in (near, far):
            side.send(time.monotonic())


if __name__ == "__main__":
    before_others()
    relay(int(sys.argv[1]), sys.argv[2], float(sys.argv[3]) / 1000)
