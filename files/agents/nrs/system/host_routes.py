"""A routing server's routes through its TUN device."""

from __future__ import annotations

import errno
import socket
from collections.abc import Sequence
from typing import NamedTuple

from nrs.system import route
from nrs.system.netlink_socket import NetlinkSocket
from nrs.system.route import Prefix


class Refused(NamedTuple):
    """A route that the kernel did not add, or did not remove."""

    prefix: Prefix
    wanted: bool
    errno: int


class HostRoutes:
    """A netlink socket for the routes to `interface`."""

    def __init__(self, interface: str) -> None:
        """Raises OSError, also where there is no such interface."""
        self._interface = socket.if_nametoindex(interface)
        self._socket = NetlinkSocket()
        self.port = self._socket.port
        """By which the kernel tells what this object has caused."""

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def request(self, prefix: Prefix, *, wanted: bool) -> bytes:
        """To add the route to `prefix`, or to remove it; for `carry_out`."""
        body = route.encode(prefix, self._interface, route.ROUTER)
        return route.add(body) if wanted else route.remove(body)

    def carry_out(self, requests: Sequence[bytes]) -> list[Refused]:
        """In this order; what the kernel refuses. Raises OSError.

        That a route is not there which was to be removed is no error. Where one is there already
        (EEXIST) it may be ours, or somebody else's in its place.
        """
        refused = []
        for kind, body, code in self._socket.carry_out(requests):
            wanted = kind == route.NEW_ROUTE
            found = route.decode(body)
            if found is not None and (wanted or code != errno.ESRCH):
                refused.append(Refused(found.prefix, wanted, code))
        return refused

    def present(self) -> set[Prefix]:
        """What routes were added to, by this process or by one before it. Raises OSError."""
        found = set()
        for version in route.FAMILY:
            asked = route.question(version, route.MAIN, route.ROUTER, self._interface)
            for kind, body in self._socket.dump(route.GET_ROUTE, asked):
                one = route.decode(body) if kind == route.NEW_ROUTE else None
                if one is not None:
                    found.add(one.prefix)
        return found
