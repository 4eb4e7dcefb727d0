"""What passes the endpoint's link to the router, as who watches the line sees it."""

from __future__ import annotations

import socket
import struct
import time
from contextlib import suppress
from dataclasses import dataclass

from testbed.failed import Failed
from testbed.namespace import Namespace

_ETH_P_ALL = 3
_ETH_P_IPV6 = 0x86DD
_UDP = 17
_SO_TIMESTAMPNS = 35
_TIMESPEC = struct.Struct("@qq")
_ENOUGH = 128
"""Bytes of a frame: headers, and the datagram's own."""
_DATAGRAM_AT = 14 + 40 + 8
_INDEX = struct.Struct("!4xI")
_POLL_S = 0.01


@dataclass(frozen=True)
class Seen:
    """The begin of a datagram to the router."""

    port: int
    """It was sent from."""
    datagram: bytes
    when: float = 0.0
    """Unix time."""

    @property
    def of_session(self) -> bool:
        """A HELLO is of none."""
        return len(self.datagram) >= _INDEX.size and _INDEX.unpack_from(self.datagram)[0] != 0


def datagram(frame: bytes, to_port: int) -> Seen | None:
    """UDP over IPv6 to this port, else nothing. Pure."""
    if len(frame) < _DATAGRAM_AT + _INDEX.size:
        return None
    (kind,) = struct.unpack_from("!H", frame, 12)
    source, target = struct.unpack_from("!HH", frame, 54)
    if kind != _ETH_P_IPV6 or frame[20] != _UDP or target != to_port:
        return None
    return Seen(source, frame[_DATAGRAM_AT:])


class Line:
    """One interface from now on, with what its buffer holds."""

    def __init__(self, host: Namespace, interface: str, port: int) -> None:
        """Raises OSError."""
        self._port = port
        self._socket = host.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
        self._socket.setsockopt(socket.SOL_SOCKET, _SO_TIMESTAMPNS, 1)
        self._socket.setblocking(False)
        with host.inside():
            self._socket.bind((interface, _ETH_P_ALL))

    def __enter__(self) -> Line:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def next(self) -> Seen | None:
        """The next datagram to the router that has passed, if one has."""
        with suppress(BlockingIOError):
            while True:
                data, ancillary, _, _ = self._socket.recvmsg(_ENOUGH, 64)
                seen = datagram(data, self._port)
                if seen is not None:
                    seconds, ns = _TIMESPEC.unpack(ancillary[0][2])
                    return Seen(seen.port, seen.datagram, seconds + ns / 1e9)
        return None

    def of_session(self, limit: float) -> Seen:
        """The next one of a session. Raises Failed."""
        end = time.monotonic() + limit
        while time.monotonic() < end:
            seen = self.next()
            if seen is None:
                time.sleep(_POLL_S)
            elif seen.of_session:
                return seen
        raise Failed(f"no datagram of a session passes the line for {limit:g} s")
