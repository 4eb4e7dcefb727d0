"""A TCP flow that tells at its end whether it was whole.

    python -m bench.failover.bulk serve ADDRESS PORT
    python -m bench.failover.bulk flow ADDRESS PORT up|down MBPS

A flow says `ready` when it is connected, runs until its standard input ends, closes in order and
says in a line of JSON how many bytes went, and what broke it, if anything did. It is whole where
the receiver has got as many bytes as the sender says that it has sent. MBPS 0 is as fast as it
goes; pacing is the kernel's.
"""

from __future__ import annotations

import contextlib
import json
import select
import socket
import struct
import sys
import threading
import time
from typing import Any

_HELLO = struct.Struct("!?Q")  # whether the server sends, and at how many bytes a second
_COUNT = struct.Struct("!Q")
_CHUNK = memoryview(bytes(256 * 1024))
_CLOSE_S = 3.0
_CONNECT_S = 5.0
_SO_MAX_PACING_RATE = 47


class Broken(Exception):
    """The connection did not end as it should; the text says how."""


def _send_until(sock: socket.socket, stop: Any, rate: int) -> int:
    """Send until there is something to read from `stop`; the bytes sent."""
    if rate:
        sock.setsockopt(socket.SOL_SOCKET, _SO_MAX_PACING_RATE, rate)
    sock.setblocking(False)
    sent = 0
    while True:
        stopping, writable, _ = select.select([stop], [sock], [])
        if stopping:
            break
        if writable:
            with contextlib.suppress(BlockingIOError):
                sent += sock.send(_CHUNK)
    sock.settimeout(_CLOSE_S)
    return sent


def _exactly(sock: socket.socket, size: int) -> bytes:
    data = b""
    while len(data) < size:
        more = sock.recv(size - len(data))
        if not more:
            raise Broken("ended before its time")
        data += more
    return data


def _receive(sock: socket.socket, stop: Any) -> tuple[int, bytes]:
    """Everything up to the other's end: how many bytes, and the last of them.

    The own direction is closed as soon as there is something to read from `stop`.
    """
    total, last = 0, b""
    buffer = bytearray(len(_CHUNK))
    deadline: float | None = None
    while True:
        watched = [sock] if stop is None or deadline is not None else [sock, stop]
        left = None if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select(watched, [], [], left)
        if not ready:
            raise Broken(f"not closed by the other end within {_CLOSE_S:g} s")
        if sock in ready:
            size = sock.recv_into(buffer)
            if not size:
                return total, last
            total += size
            last = (last + buffer[max(0, size - _COUNT.size) : size])[-_COUNT.size :]
        elif deadline is None:
            sock.shutdown(socket.SHUT_WR)
            deadline = time.monotonic() + _CLOSE_S


def _answer(sock: socket.socket) -> None:
    with sock, contextlib.suppress(OSError, Broken):
        sends, rate = _HELLO.unpack(_exactly(sock, _HELLO.size))
        if sends:
            sock.sendall(_COUNT.pack(_send_until(sock, sock, rate)))
        else:
            count, _ = _receive(sock, None)
            sock.sendall(_COUNT.pack(count))


def serve(address: str, port: int) -> None:
    """Be the other end of flows until standard input ends."""
    with socket.create_server(
        (address, port), family=socket.AF_INET6 if ":" in address else socket.AF_INET
    ) as listener:
        print("ready", flush=True)
        while True:
            ready, _, _ = select.select([listener, sys.stdin], [], [])
            if sys.stdin in ready:
                return
            sock, _ = listener.accept()
            threading.Thread(target=_answer, args=(sock,), daemon=True).start()


def flow(address: str, port: int, direction: str, mbps: int) -> None:
    """One connection."""
    rate = mbps * 1_000_000 // 8
    count, error = 0, None
    with socket.create_connection((address, port), timeout=_CONNECT_S) as sock:
        sock.sendall(_HELLO.pack(direction == "down", rate))
        print("ready", flush=True)
        began = time.monotonic()
        try:
            if direction == "down":
                total, last = _receive(sock, sys.stdin)
                count = total - len(last)
                if len(last) < _COUNT.size or _COUNT.unpack(last) != (count,):
                    raise Broken(f"{count} bytes arrived, and not all that were sent")
            else:
                count = _send_until(sock, sys.stdin, rate)
                sock.shutdown(socket.SHUT_WR)
                if _COUNT.unpack(_exactly(sock, _COUNT.size)) != (count,):
                    raise Broken(f"{count} bytes were sent, and not all arrived")
        except (OSError, Broken) as broken:
            error = str(broken) or type(broken).__name__
    took = time.monotonic() - began
    print(json.dumps({"bytes": count, "seconds": took, "error": error}), flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        flow(sys.argv[2], int(sys.argv[3]), sys.argv[4], int(sys.argv[5]))
