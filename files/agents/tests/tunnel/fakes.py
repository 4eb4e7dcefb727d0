"""What an engine needs around it, without devices or time."""

from __future__ import annotations

import socket
from collections import deque
from collections.abc import Callable
from typing import Any

from nrs.tunnel.codec.interface import Send

PEER = ("2001:db8:f::1", 51820, 0, 0)


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

    def add_reader(self, fd: int, callback: Callable[[], object]) -> None:
        self.readers[fd] = callback


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

    def close(self) -> None:
        self._device.close()
        self._kernel.close()


class FakeSocket:
    """A UDP socket: trains to receive, datagrams sent."""

    def __init__(self, fd: int = 200) -> None:
        self._fd = fd
        self.trains: deque[tuple[list[bytes], tuple[Any, ...]]] = deque()
        self.sent: list[tuple[bytes, tuple[Any, ...] | None]] = []

    def fileno(self) -> int:
        return self._fd

    def receive_into(
        self, buffer: bytearray
    ) -> tuple[int, int, int, tuple[Any, ...] | None, bytes | None]:
        if not self.trains:
            raise BlockingIOError
        train, peer = self.trains.popleft()
        whole = b"".join(train)
        buffer[: len(whole)] = whole
        return len(whole), len(train[0]), 0, peer, None

    def send(
        self,
        outbox: memoryview,
        train: Send,
        peer: tuple[Any, ...] | None = None,
        local: bytes | None = None,
    ) -> bool:
        end = train.offset + train.length
        for at in range(train.offset, end, train.each):
            self.sent.append((bytes(outbox[at : min(at + train.each, end)]), peer))
        return True

    def send_one(
        self, datagram: bytes, peer: tuple[Any, ...] | None = None, local: bytes | None = None
    ) -> bool:
        self.sent.append((datagram, peer))
        return True
