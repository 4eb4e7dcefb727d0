"""A NAT with a long way behind it, as a thread: its mapping changes when it is told to.

It stands in for the router at LISTEN and passes datagrams on to TARGET and back, both at PORT. What
has left the endpoint is on the way as it left; what comes back to a mapping that is gone is lost.
"""

from __future__ import annotations

import heapq
import itertools
import select
import socket
import threading
import time
from types import TracebackType
from typing import Any

from tests.netns.transfer import SO_RCVBUFFORCE, family_of
from tests.netns.world import World

LISTEN, PORT = "::1", 51820


class Nat:
    """Use as a context manager; `delay` in seconds, each way."""

    def __init__(self, world: World, target: str, delay: float = 0.0) -> None:
        self._world, self._target, self._delay = world, target, delay
        self._copier: socket.socket | None = None
        self._instead = False
        self.copied = 0
        """Bytes that the copier has sent."""
        self._near = self._socket()
        self._near.bind((LISTEN, PORT))
        self._far = self._socket()
        self._endpoint: Any = None
        self._changes = self._over = False
        self._thread = threading.Thread(target=self._run)

    def _socket(self) -> socket.socket:
        made = self._world.socket("endpoint", family_of(LISTEN), socket.SOCK_DGRAM)
        made.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 24)
        return made

    def __enter__(self) -> Nat:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._over = True
        self._thread.join()
        self._near.close()
        self._far.close()

    def copy_by(self, copier: socket.socket, *, instead: bool = False) -> None:
        """Have `copier` send whatever the endpoint sends, ahead of the original or `instead`."""
        self._instead, self._copier = instead, copier

    def rebind(self) -> float:
        """Forget the mapping: what the endpoint sends comes from another port. When that was."""
        self._changes = True
        while self._changes:
            time.sleep(0.0005)
        return time.monotonic()

    def _run(self) -> None:
        way: list[tuple[float, int, socket.socket, Any, bytes]] = []
        order = itertools.count()
        gone: list[socket.socket] = []
        while not self._over:
            if self._changes:
                gone.append(self._far)
                self._far = self._socket()
                self._changes = False
            far = self._far
            wait = min(0.01, max(0.0, way[0][0] - time.monotonic())) if way else 0.01
            for one in select.select([self._near, far], [], [], wait)[0]:
                datagram, sender = one.recvfrom(70_000)
                until = time.monotonic() + self._delay
                if one is self._near:
                    self._endpoint = sender
                    if self._copy(datagram):
                        continue
                    entry = (until, next(order), far, (self._target, PORT), datagram)
                else:
                    entry = (until, next(order), far, None, datagram)
                heapq.heappush(way, entry)
            while way and way[0][0] <= time.monotonic():
                _, _, sink, there, datagram = heapq.heappop(way)
                if there is not None:
                    sink.sendto(datagram, there)
                elif sink is self._far:
                    self._near.sendto(datagram, self._endpoint)
        for one in gone:
            one.close()

    def _copy(self, datagram: bytes) -> bool:
        """Whether that is all that becomes of it."""
        if self._copier is None:
            return False
        self._copier.sendto(datagram, (self._target, PORT))
        self.copied += len(datagram)
        return self._instead
