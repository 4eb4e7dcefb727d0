"""Datagrams to a UDP port at a steady rate, from one address or from many.

A program of its own: `junk.py DATAGRAMS ADDRESS PORT A_SECOND SOURCE...`, where the file DATAGRAMS
holds one in hex a line. It sends until it is ended.
"""

from __future__ import annotations

import itertools
import socket
import sys
import time
from contextlib import suppress
from pathlib import Path

_TURN_S = 0.002
_IPV6_FREEBIND = 78


def main(datagrams: str, address: str, port: str, a_second: str, *sources: str) -> None:
    """Send them in turn, and from the sources in turn."""
    lines = Path(datagrams).read_text(encoding="ascii").split()
    junk = itertools.cycle(map(bytes.fromhex, lines))
    senders = []
    for source in sources:
        sender = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
        sender.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
        sender.bind((source, 0))
        sender.connect((address, int(port)))
        senders.append(sender.send)
    turns, sent, began = itertools.cycle(senders), 0, time.monotonic()
    while True:
        due = int((time.monotonic() - began) * int(a_second))
        for send, datagram in zip(itertools.islice(turns, due - sent), junk, strict=False):
            with suppress(OSError):  # the queue is full
                send(datagram)
        sent = due
        time.sleep(_TURN_S)


if __name__ == "__main__":
    main(*sys.argv[1:])
