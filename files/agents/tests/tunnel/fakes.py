"""What an engine needs around it, without devices or time."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from typing import Any


class Clock:
    """Time that passes when told to."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now

    def __call__(self) -> float:
        return self.now


class FakeLoop:
    """Remembers who reads what."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.readers: dict[int, Callable[[], object]] = {}
        self.timers: list[tuple[float, Callable[[], object]]] = []

    @property
    def now(self) -> float:
        return self.clock()

    def add_reader(self, fd: int, callback: Callable[[], object]) -> None:
        self.readers[fd] = callback

    def remove_reader(self, fd: int) -> None:
        del self.readers[fd]

    def call_later(self, delay: float, callback: Callable[[], object]) -> None:
        self.call_at(self.now + delay, callback)

    def call_at(self, when: float, callback: Callable[[], object]) -> None:
        self.timers.append((when, callback))


class FakeTun:
    """A TUN device: one end of a pair of datagram sockets, as a frame is read or written whole."""

    udp_offload = True

    def __init__(self) -> None:
        self._device, self._kernel = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._device.setblocking(False)
        self._kernel.setblocking(False)
        self.fd = self._device.fileno()

    def send(self, frame: bytes) -> None:
        """A frame for the engine to read."""
        self._kernel.send(frame)

    def take(self) -> list[bytes]:
        """The frames written since the last call."""
        frames = []
        while True:
            try:
                frames.append(self._kernel.recv(70_000))
            except BlockingIOError:
                return frames

    def deliver(self, packet: bytes) -> None:
        self._device.send(bytes(10) + packet)

    def close(self) -> None:
        self._device.close()
        self._kernel.close()


class Peers:
    """Senders on the loopback, each with an address of its own, and what they were answered."""

    _KEPT = 12

    def __init__(self, there: tuple[Any, ...]) -> None:
        self._there = there
        self._sockets: deque[socket.socket] = deque()
        self._made = 0
        self.sent: list[bytes] = []

    def send(self, datagram: bytes, *, same: bool = False) -> None:
        """From a new address, or from the `same` as last time."""
        if not same or not self._sockets:
            self._made += 1
            one = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            one.bind((f"127.1.{self._made >> 8}.{self._made & 255}", 0))
            one.setblocking(False)
            self._sockets.append(one)
            if len(self._sockets) > self._KEPT:
                self._sockets.popleft().close()
        self._sockets[-1].sendto(datagram, self._there)

    @property
    def last(self) -> tuple[Any, ...]:
        """The newest sender's address."""
        return tuple(self._sockets[-1].getsockname())

    def collect(self) -> None:
        """Take what has arrived into `sent`."""
        for one in self._sockets:
            while True:
                try:
                    self.sent.append(one.recv(70_000))
                except BlockingIOError:
                    break

    def close(self) -> None:
        while self._sockets:
            self._sockets.pop().close()
