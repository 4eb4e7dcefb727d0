"""A bad path as a process: `python -m tests.netns.relay LISTEN PORT TARGET LOSS REORDER SEED LIE`.

It stands in for the router at LISTEN and passes datagrams on to TARGET and back, both
at PORT. From SIGUSR1 on it is bad: of each direction it drops the share LOSS, and holds
back the share REORDER for one to five milliseconds; neighbours that are left change
places as often. What stays together goes on as one train, so that whoever receives it
finds gaps and wrong order inside what the kernel delivers as one.

With a LIE, which may be left out, it is a card that damages trains: of what arrives together all
but the first datagram are lost (`drop`) or cut off (`cut`), each way or one (`drop-up`,
`drop-down`); from each SIGUSR1 on, too, and until SIGUSR2.
"""

from __future__ import annotations

import heapq
import itertools
import random
import select
import signal
import socket
import struct
import sys
import time
from typing import Any

_UDP_SEGMENT, _UDP_GRO = 103, 104
_SO_SNDBUFFORCE, _SO_RCVBUFFORCE = 32, 33
_MOST_SEGMENTS, _MOST_BYTES = 64, 65_507
_EACH = struct.Struct("=i")


class Side:
    """One of the relay's two sockets, and whom it talks to."""

    def __init__(self, host: str) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self.socket = socket.socket(family, socket.SOCK_DGRAM)
        for option in (_SO_SNDBUFFORCE, _SO_RCVBUFFORCE):
            self.socket.setsockopt(socket.SOL_SOCKET, option, 1 << 24)
        self.socket.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, 1)
        self.peer: Any = None

    def receive(self) -> list[bytes]:
        data, ancillary, _, self.peer = self.socket.recvmsg(70_000, 64)
        each = len(data)
        for level, kind, value in ancillary:
            if (level, kind) == (socket.IPPROTO_UDP, _UDP_GRO):
                each = _EACH.unpack_from(value)[0]
        return [data[at : at + each] for at in range(0, len(data), each or 1)]

    def send(self, datagrams: list[bytes]) -> None:
        if self.peer is None:
            return
        run: list[bytes] = []
        for datagram in datagrams:
            fits = run and len(run[-1]) == len(run[0]) >= len(datagram)
            full = len(run) == _MOST_SEGMENTS or sum(map(len, run)) + len(datagram) > _MOST_BYTES
            if run and (full or not fits):
                self._train(run)
                run = []
            run.append(datagram)
        if run:
            self._train(run)

    def _train(self, run: list[bytes]) -> None:
        ancillary = [(socket.IPPROTO_UDP, _UDP_SEGMENT, struct.pack("=H", len(run[0])))]
        self.socket.sendmsg(run, ancillary if len(run) > 1 else [], 0, self.peer)


def damaged(datagrams: list[bytes], lie: str, way: str) -> list[bytes]:
    """What a lying card makes of datagrams that came together."""
    how, _, which = lie.partition("-")
    if not how or which not in {"", way}:
        return datagrams
    rest = [datagram[:-1] for datagram in datagrams[1:]] if how == "cut" else []
    return [*datagrams[:1], *rest]


def relay(
    near: Side, far: Side, loss: float, reorder: float, chance: random.Random, lie: str
) -> None:
    """Pass on for ever."""
    bad: list[int] = []
    honest: list[int] = []
    signal.signal(signal.SIGUSR2, lambda number, _: honest.append(number))

    def begin(number: int, _: object) -> None:
        bad.append(number)
        honest.clear()

    signal.signal(signal.SIGUSR1, begin)
    print("ready", flush=True)
    held: list[tuple[float, int, Side, bytes]] = []
    order = itertools.count()
    poller = select.poll()
    for side in (near, far):
        poller.register(side.socket, select.POLLIN)
    others = {near.socket.fileno(): (near, far), far.socket.fileno(): (far, near)}
    while True:
        pause = max(0.0, held[0][0] - time.monotonic()) * 1000 if held else None
        for fd, _ in poller.poll(pause):
            source, sink = others[fd]
            passed: list[bytes] = []
            together = source.receive()
            if bad and lie and not honest:
                together = damaged(together, lie, "up" if source is near else "down")
            for datagram in together:
                if not bad:
                    passed.append(datagram)
                    continue
                if chance.random() < loss:
                    continue
                if chance.random() < reorder:
                    until = time.monotonic() + chance.uniform(0.001, 0.005)
                    heapq.heappush(held, (until, next(order), sink, datagram))
                    continue
                passed.append(datagram)
                if chance.random() < reorder:
                    passed[-2:] = reversed(passed[-2:])
            sink.send(passed)
        while held and held[0][0] <= time.monotonic():
            _, _, sink, datagram = heapq.heappop(held)
            sink.send([datagram])


def main(
    listen: str, port: str, target: str, loss: str, reorder: str, seed: str, lie: str = ""
) -> None:
    near, far = Side(listen), Side(target)
    near.socket.bind((listen, int(port)))
    far.peer = (target, int(port))
    relay(near, far, float(loss), float(reorder), random.Random(seed), lie)  # noqa: S311 - chance that can be repeated


if __name__ == "__main__":
    main(*sys.argv[1:])
