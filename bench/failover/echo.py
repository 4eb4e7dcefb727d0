"""UDP echo at a steady rate, and who has received what and when.

    python -m bench.failover.echo serve ADDRESS PORT RUN
    python -m bench.failover.echo send ADDRESS PORT RUN RATE

Both say `ready`, run until their standard input ends, and then say all they have seen in a line
of JSON. Times are CLOCK_MONOTONIC in nanoseconds, which all hosts of one machine share. RUN is a
number that tells one run's packets from those of another.
"""

from __future__ import annotations

import contextlib
import gc
import json
import os
import select
import socket
import struct
import sys
import time
from typing import Any

PACKET_BYTES = 64
_HEAD = struct.Struct("!QQ")
_LATE_S = 0.3
_PRIORITY = 20
_BUFFER_BYTES = 4 << 20


def _open(family_of: str) -> socket.socket:
    sock = socket.socket(socket.AF_INET6 if ":" in family_of else socket.AF_INET, socket.SOCK_DGRAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
    sock.setblocking(False)
    return sock


def before_others() -> None:
    """Measure the system under test, not how long the instrument waits for a processor."""
    gc.disable()
    with contextlib.suppress(PermissionError):
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(_PRIORITY))


def serve(address: str, port: int, run: int) -> None:
    """Send every packet of the run back to where it came from."""
    sock = _open(address)
    sock.bind((address, port))
    received: list[int] = []
    print("ready", flush=True)
    while True:
        ready, _, _ = select.select([sock, sys.stdin], [], [])
        if sock in ready:
            with contextlib.suppress(BlockingIOError):
                while True:
                    data, peer = sock.recvfrom(2048)
                    if len(data) != PACKET_BYTES or _HEAD.unpack_from(data)[0] != run:
                        continue
                    received.append(_HEAD.unpack_from(data)[1])
                    with contextlib.suppress(OSError):  # no way back at the moment: lost
                        sock.sendto(data, peer)
        elif sys.stdin in ready:
            break
    print(json.dumps({"received": received}), flush=True)


def send(address: str, port: int, run: int, rate: int) -> None:
    """Send `rate` packets a second and note which come back."""
    # Not connected: an ICMP error must not cost a packet that could have been sent.
    sock = _open(address)
    sent: list[int] = []
    received: list[tuple[int, int]] = []
    interval = 1_000_000_000 // rate
    clock = time.monotonic_ns
    print("ready", flush=True)
    due = clock()
    end: int | None = None
    padding = bytes(PACKET_BYTES - _HEAD.size)
    while end is None or clock() < end:
        now = clock()
        if end is None and now >= due:
            data = _HEAD.pack(run, len(sent)) + padding
            try:
                sock.sendto(data, (address, port))
            except OSError:
                now = 0
            sent.append(now)
            due += interval
            continue
        until = due if end is None else end
        watched: list[Any] = [sock] if end is not None else [sock, sys.stdin]
        ready, _, _ = select.select(watched, [], [], max(0.0, (until - now) / 1e9))
        if sock in ready:
            with contextlib.suppress(BlockingIOError):
                while True:
                    data = sock.recv(2048)
                    if len(data) == PACKET_BYTES and _HEAD.unpack_from(data)[0] == run:
                        received.append((_HEAD.unpack_from(data)[1], clock()))
        elif sys.stdin in ready:
            end = clock() + round(_LATE_S * 1e9)
    print(json.dumps({"sent": sent, "received": received}), flush=True)


if __name__ == "__main__":
    before_others()
    _role, _address, *_numbers = sys.argv[1:]
    if _role == "serve":
        serve(_address, *map(int, _numbers))
    else:
        send(_address, *map(int, _numbers))
