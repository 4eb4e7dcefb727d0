"""Traffic between two hosts of a world, held against what was sent."""

from __future__ import annotations

import errno
import hashlib
import os
import socket
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, closing, suppress
from threading import Thread

from tests.netns.world import World

UDP_SEGMENT = 103
SO_RCVBUFFORCE = 33
SO_MAX_PACING_RATE = 47
_TIMEOUT_S = 60.0


def family_of(address: str) -> int:
    """AF_INET or AF_INET6."""
    return socket.AF_INET6 if ":" in address else socket.AF_INET


def tcp(
    world: World,
    address: str,
    size: int,
    *,
    connections: int = 1,
    upload: bool = False,
    congestion: str | None = None,
    server: str = "business",
    connected: Callable[[], object] = lambda: None,
) -> None:
    """`size` random bytes from the server at `address` to the endpoint, or the other way.

    They are split over the connections; `connected` is called when these have been made.
    Fails the test unless the checksums are equal.
    """
    content = os.urandom(size)
    arrived = bytearray(size)
    parts = [
        slice(size * n // connections, size * (n + 1) // connections) for n in range(connections)
    ]
    with ExitStack() as opened:
        listener = opened.enter_context(
            closing(world.socket(server, family_of(address), socket.SOCK_STREAM))
        )
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if congestion is not None:
            listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, congestion.encode())
        listener.bind((address, 0))
        listener.listen(connections)
        pairs = []
        for _ in parts:
            near = opened.enter_context(
                closing(world.socket("endpoint", family_of(address), socket.SOCK_STREAM))
            )
            if congestion is not None:
                near.setsockopt(socket.IPPROTO_TCP, socket.TCP_CONGESTION, congestion.encode())
            near.connect(listener.getsockname()[:2])
            far, _ = listener.accept()
            opened.enter_context(closing(far))
            pairs.append((near, far))
        connected()
        pool = opened.enter_context(ThreadPoolExecutor(2 * connections))
        tasks = []
        for (near, far), part in zip(pairs, parts, strict=True):
            source, sink = (near, far) if upload else (far, near)
            source.settimeout(_TIMEOUT_S)
            sink.settimeout(_TIMEOUT_S)
            tasks.append(pool.submit(_send, source, memoryview(content)[part]))
            tasks.append(pool.submit(_receive, sink, memoryview(arrived)[part]))
        for task in tasks:
            task.result(_TIMEOUT_S)
    assert hashlib.sha256(arrived).digest() == hashlib.sha256(content).digest()


def _send(connection: socket.socket, content: memoryview) -> None:
    connection.sendall(content)
    connection.shutdown(socket.SHUT_WR)


def _receive(connection: socket.socket, room: memoryview) -> None:
    at = 0
    while at < len(room):
        count = connection.recv_into(room[at:])
        assert count, f"the stream ended after {at} of {len(room)} bytes"
        at += count
    assert connection.recv(1) == b"", "more than was sent"


class Echo:
    """A UDP server that sends every datagram back; use as a context manager."""

    def __init__(self, world: World, address: str, host: str = "business", port: int = 0) -> None:
        self._socket = world.socket(host, family_of(address), socket.SOCK_DGRAM)
        self._socket.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 23)
        self._socket.settimeout(None)
        self._socket.bind((address, port))
        self.name = self._socket.getsockname()[:2]
        self._thread = Thread(target=self._serve)

    def __enter__(self) -> Echo:
        self._thread.start()
        return self

    def _serve(self) -> None:
        while True:
            data, peer = self._socket.recvfrom(65_536)
            if not data:
                return
            self._socket.sendto(data, peer)

    def __exit__(self, *_: object) -> None:
        self._socket.sendto(b"", self.name)
        self._thread.join(5)
        self._socket.close()


def udp_client(world: World, name: tuple[str, int]) -> socket.socket:
    """A socket at the endpoint, connected to `name`."""
    client = world.socket("endpoint", family_of(name[0]), socket.SOCK_DGRAM)
    client.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 1 << 23)
    client.connect(name)
    return client


def udp(
    world: World, address: str, *, host: str = "business", port: int = 0, each: int = 1200
) -> None:
    """Datagrams there and back: small ones in a burst, a super-packet, and one in fragments.

    Fails the test unless each comes back as it was, the super-packet's, of `each` bytes, in order.
    """
    with Echo(world, address, host, port) as echo, closing(udp_client(world, echo.name)) as client:
        # What is too long for the path may be what tells both kernels so.
        assert len(_sent_until_returned(client, os.urandom(1372))) == 1372
        small = [os.urandom(40 + n) for n in range(50)]
        for datagram in small:
            client.send(datagram)
        assert sorted(client.recv(65_536) for _ in small) == sorted(small)

        train = [os.urandom(each) for _ in range(20)] + [os.urandom(700)]
        client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, each)
        client.send(b"".join(train))
        client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 0)
        assert [client.recv(65_536) for _ in train] == train

        large = os.urandom(8000)
        assert _sent_until_returned(client, large) == large


def _sent_until_returned(client: socket.socket, datagram: bytes) -> bytes:
    """The echo; its first copies may be what tells either end the path MTU."""
    client.settimeout(1)
    for _ in range(5):
        try:
            client.send(datagram)
            return client.recv(65_536)
        except TimeoutError:
            pass
        except OSError as error:
            if error.errno != errno.EMSGSIZE:
                raise
    raise AssertionError("no answer to a datagram in fragments")


class Download:
    """A TCP download that goes on beside the test; use as a context manager.

    The far end sends `size` random bytes at `rate` bytes a second.
    """

    def __init__(self, near: socket.socket, far: socket.socket, size: int, rate: int) -> None:
        self._near, self._far = near, far
        self._content = os.urandom(size)
        self._digest = hashlib.sha256()
        self.received = 0
        far.setsockopt(socket.SOL_SOCKET, SO_MAX_PACING_RATE, rate)
        self._pool = ThreadPoolExecutor(2)
        self._ended: Future[None] | None = None

    def __enter__(self) -> Download:
        self._pool.submit(_send, self._far, memoryview(self._content))
        self._ended = self._pool.submit(self._receive)
        return self

    def _receive(self) -> None:
        room = memoryview(bytearray(1 << 18))
        while count := self._near.recv_into(room):
            self._digest.update(room[:count])
            self.received += count

    def end(self, timeout: float) -> None:
        """Wait for the last byte. Raises what the client sees, TimeoutError if it still waits.

        Fails the test where something else than what was sent has arrived.
        """
        assert self._ended is not None
        self._ended.result(timeout)
        assert self.received == len(self._content)
        assert self._digest.digest() == hashlib.sha256(self._content).digest()

    def __exit__(self, *_: object) -> None:
        for one in (self._near, self._far):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
        self._pool.shutdown()
