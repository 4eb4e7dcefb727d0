"""A routing server's routes to single addresses through its TUN device."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from typing import NamedTuple

from nrs.system import netlink, route
from nrs.system.netlink_socket import NetlinkSocket

_VERSION = {4: 4, 16: 6}


class Refused(NamedTuple):
    """A route that the kernel did not add, or did not remove."""

    address: bytes
    wanted: bool
    errno: int


class HostRoutes:
    """A netlink socket for the routes to `interface`. Addresses are 4 or 16 bytes."""

    def __init__(self, interface: str) -> None:
        """Raises OSError, also where there is no such interface."""
        self._interface = socket.if_nametoindex(interface)
        self._socket = NetlinkSocket()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def request(self, address: bytes, *, wanted: bool) -> bytes:
        """To add the route to `address`, or to remove it; for `carry_out`."""
        size = len(address)
        prefix = _VERSION[size], int.from_bytes(address, "big"), 8 * size
        body = route.encode(prefix, self._interface, route.ROUTER)
        return route.add(body) if wanted else route.remove(body)

    def carry_out(self, requests: Sequence[bytes]) -> list[Refused]:
        """In this order; what the kernel refuses. Raises OSError.

        A route of ours that is there already, or is not there, is no error.
        """
        refused = []
        for kind, body, code in self._socket.carry_out(requests):
            wanted = kind == route.NEW_ROUTE
            if code != (errno.EEXIST if wanted else errno.ESRCH):
                refused.append(Refused(_address(body), wanted, code))
        return refused

    def present(self) -> set[bytes]:
        """The addresses that routes were added to, by this process or by one before it.

        Raises OSError.
        """
        found = set()
        for size, version in _VERSION.items():
            asked = route.question(version, route.MAIN, route.ROUTER, self._interface)
            for kind, body in self._socket.dump(route.GET_ROUTE, asked):
                if kind == route.NEW_ROUTE and body[1] == 8 * size:
                    found.add(_address(body))
        return found


def _address(body: bytes) -> bytes:
    return netlink.attributes(body, route.HEADER_BYTES)[route.DESTINATION]
