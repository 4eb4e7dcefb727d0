"""What an engine needs around it, without sockets, devices or time."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from nrs.tunnel.codec import Part, Sealed

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
    """A TUN device: frames to read, frames written."""

    fd = 100
    udp_offload = True

    def __init__(self) -> None:
        self.frames: deque[bytes] = deque()
        self.written: list[bytes] = []

    def read_into(self, buffer: bytearray) -> int:
        if not self.frames:
            raise BlockingIOError
        frame = self.frames.popleft()
        buffer[: len(frame)] = frame
        return len(frame)

    def write(self, parts: list[Part]) -> None:
        self.written.append(b"".join(parts))


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
    ) -> tuple[int, int, tuple[Any, ...] | None, bytes | None]:
        if not self.trains:
            raise BlockingIOError
        train, peer = self.trains.popleft()
        whole = b"".join(train)
        buffer[: len(whole)] = whole
        return len(whole), len(train[0]), peer, None

    def send(
        self, sealed: Sealed, peer: tuple[Any, ...] | None = None, local: bytes | None = None
    ) -> bool:
        self.sent += [(datagram, peer) for datagram in datagrams(sealed)]
        return True

    def send_one(
        self, datagram: bytes, peer: tuple[Any, ...] | None = None, local: bytes | None = None
    ) -> bool:
        self.sent.append((datagram, peer))
        return True


def datagrams(sealed: Sealed) -> list[bytes]:
    """What goes on the wire."""
    parts = sealed.parts
    return [b"".join(parts[n : n + 3]) for n in range(0, len(parts), 3)]
