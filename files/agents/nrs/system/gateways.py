"""The next hops of this host's routes, as the kernel tells of them (rtnetlink, RFC 3549).

A route that comes or goes with a next hop has all of them listed anew: the kernel does not say
which one a new route has replaced. Routes without, such as an agent's own, cost nothing.
"""

from __future__ import annotations

import errno
import itertools
import select
import socket
import struct
import time
from collections.abc import Iterator

from nrs.system import netlink

_ROUTE = struct.Struct("=BBBBBBBBI")
_NEXT_HOP = struct.Struct("=HBBi")
_NEW_ROUTE, _DEL_ROUTE, _GET_ROUTE = 24, 25, 26
_GROUPS = 0x40 | 0x400
"""RTMGRP_IPV4_ROUTE, RTMGRP_IPV6_ROUTE."""
_RTA_GATEWAY, _RTA_MULTIPATH, _RTA_VIA = 5, 9, 18
_FAMILIES = {socket.AF_INET, socket.AF_INET6}

_RECEIVE_BYTES = 32768
_MOST_RECEIVES = 2
"""A list may be long, and packets wait meanwhile."""
_LIST_TIMEOUT_S = 2.0


def next_hops(body: bytes) -> Iterator[bytes]:
    """The addresses, 4 or 16 bytes, of the next hops in the body of a route's message."""
    if len(body) >= _ROUTE.size and body[0] in _FAMILIES:
        yield from _of(netlink.attributes(body, _ROUTE.size))


def _of(attributes: dict[int, bytes]) -> Iterator[bytes]:
    if gateway := attributes.get(_RTA_GATEWAY):
        yield gateway
    if via := attributes.get(_RTA_VIA):
        yield via[2:]  # behind its family: an IPv4 route over an IPv6 neighbour (RFC 5549)
    several, offset = attributes.get(_RTA_MULTIPATH, b""), 0
    while offset + _NEXT_HOP.size <= len(several):
        length = _NEXT_HOP.unpack_from(several, offset)[0]
        if length < _NEXT_HOP.size:
            return
        yield from _of(netlink.attributes(several[: offset + length], offset + _NEXT_HOP.size))
        offset += (length + 3) & ~3


class Gateways:
    """A netlink socket that follows them."""

    def __init__(self) -> None:
        """Raises OSError."""
        self.addresses: frozenset[bytes] = frozenset()
        """As listed last."""
        self._socket = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK,
            socket.NETLINK_ROUTE,
        )
        self._sequence = itertools.count(1)
        self._asked = 0
        self._stale = False
        self._listed: set[bytes] = set()
        try:
            self._socket.bind((0, _GROUPS))
            self._ask()
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """For a poller."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def first(self) -> None:
        """Wait for the first list, so not in the packet loop. Raises TimeoutError."""
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        deadline = time.monotonic() + _LIST_TIMEOUT_S
        while self._asked:
            if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise TimeoutError(errno.ETIMEDOUT, "the kernel does not list its routes")
            self.read()

    def read(self) -> bool:
        """Take what there is to be read now, which never waits; whether `addresses` is another."""
        before = self.addresses
        for _ in range(_MOST_RECEIVES):
            try:
                data, sender = self._socket.recvfrom(_RECEIVE_BYTES)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                self._renew()
                continue
            if sender[0] == 0:  # anybody may send to a netlink socket; the kernel is 0
                self._take(data)
        return self.addresses != before

    def _take(self, data: bytes) -> None:
        for kind, sequence, body in netlink.messages(data):
            if kind in {_NEW_ROUTE, _DEL_ROUTE}:
                found = list(next_hops(body))
                if self._asked and sequence == self._asked:
                    self._listed.update(found)
                elif found:
                    self._renew()
            elif self._asked and sequence == self._asked:
                self._asked = 0
                if self._stale:
                    self._ask()
                else:
                    self.addresses = frozenset(self._listed)

    def _renew(self) -> None:
        """List them again, after the list that is being told."""
        if self._asked:
            self._stale = True
        else:
            self._ask()

    def _ask(self) -> None:
        self._stale = False
        self._listed = set()
        self._asked = next(self._sequence)
        body = _ROUTE.pack(socket.AF_UNSPEC, 0, 0, 0, 0, 0, 0, 0, 0)
        flags = netlink.REQUEST | netlink.DUMP
        self._socket.send(netlink.message(_GET_ROUTE, flags, self._asked, body))
