"""Routes to single addresses through one interface (rtnetlink, RFC 3549).

Requests are bytes, which take 1 us to make. Then one system call brings the kernel a batch of them,
at 4 us each, and one message tells that it is done: who waits for that leaves the interpreter to
others meanwhile, where pyroute2 computes for 500 us.
"""

from __future__ import annotations

import errno
import itertools
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from nrs.system import netlink

_NEW_ROUTE, _DEL_ROUTE, _GET_ROUTE = 24, 25, 26
_ROUTE = struct.Struct("=BBBBBBBBI")
_U32 = struct.Struct("=I")
_ERRNO = struct.Struct("=i")
_RTA_DST, _RTA_OIF = 1, 4
_MAIN, _STATIC, _UNICAST = 254, 4, 1
_FAMILY = {4: socket.AF_INET, 16: socket.AF_INET6}
_SOL_NETLINK, _STRICT_CHECK = 270, 12
_RECEIVE_BYTES = 65536
_TIMEOUT = struct.pack("@ll", 5, 0)


class Refused(NamedTuple):
    """A route that the kernel did not add, or did not remove."""

    address: bytes
    wanted: bool
    errno: int


class HostRoutes:
    """A netlink socket for the routes to `interface`. Addresses are 4 or 16 bytes."""

    def __init__(self, interface: str) -> None:
        """Raises OSError, also where there is no such interface."""
        self._out = netlink.attribute(_RTA_OIF, _U32.pack(socket.if_nametoindex(interface)))
        self._sequence = itertools.count(1)
        self._socket = socket.socket(
            socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
        )
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, _TIMEOUT)
            # The kernel lists what is asked for only, and not all the routes of a large router.
            self._socket.setsockopt(_SOL_NETLINK, _STRICT_CHECK, 1)
            self._socket.bind((0, 0))
        except OSError:
            self._socket.close()
            raise

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def request(self, address: bytes, *, wanted: bool) -> bytes:
        """To add the route to `address`, or to remove it; for `carry_out`."""
        size = len(address)
        route = _ROUTE.pack(_FAMILY[size], 8 * size, 0, 0, _MAIN, _STATIC, 0, _UNICAST, 0)
        kind = _NEW_ROUTE if wanted else _DEL_ROUTE
        flags = netlink.REQUEST | (netlink.CREATE | netlink.REPLACE if wanted else 0)
        destination = netlink.attribute(_RTA_DST, address)
        return netlink.message(kind, flags, 0, route + destination + self._out)

    def carry_out(self, requests: Sequence[bytes]) -> list[Refused]:
        """In this order; what the kernel refuses.

        A route that is there already, or is not there, is no error. The socket has room for the
        refusals of some dozens. Raises OSError.
        """
        last = next(self._sequence)
        done = netlink.message(netlink.NOOP, netlink.REQUEST | netlink.ACK, last, b"")
        self._socket.send(b"".join([*requests, done]))
        refused = []
        for kind, _, body in self._answers(last):
            code = -_ERRNO.unpack_from(body)[0] if kind == netlink.ERROR else 0
            if code:
                # The request is in it.
                for asked, _, route in netlink.messages(body[_ERRNO.size :]):
                    address = netlink.attributes(route, _ROUTE.size)[_RTA_DST]
                    if asked == _NEW_ROUTE or code != errno.ESRCH:
                        refused.append(Refused(address, asked == _NEW_ROUTE, code))
        return refused

    def present(self) -> set[bytes]:
        """The addresses that routes were added to, by this process or by one before it.

        Raises OSError.
        """
        found = set()
        for size, family in _FAMILY.items():
            sequence = next(self._sequence)
            body = _ROUTE.pack(family, 0, 0, 0, _MAIN, _STATIC, 0, _UNICAST, 0) + self._out
            flags = netlink.REQUEST | netlink.DUMP
            self._socket.send(netlink.message(_GET_ROUTE, flags, sequence, body))
            for kind, _, route in self._answers(sequence):
                if kind == _NEW_ROUTE and route[1] == 8 * size:
                    found.add(netlink.attributes(route, _ROUTE.size)[_RTA_DST])
        return found

    def _answers(self, last: int) -> Iterator[tuple[int, int, bytes]]:
        """What the kernel says, up to the end of its answer to message `last`."""
        while True:
            data, sender = self._socket.recvfrom(_RECEIVE_BYTES)
            if sender[0] != 0:  # anybody may send to a netlink socket; the kernel is 0
                continue
            for kind, sequence, body in netlink.messages(data):
                yield kind, sequence, body
                if sequence == last and kind in {netlink.DONE, netlink.ERROR}:
                    return
