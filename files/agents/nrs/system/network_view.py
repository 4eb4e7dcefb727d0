"""What the kernel has and tells of one interface's network, and requests to change it."""

from __future__ import annotations

import errno
import os
import socket
import time
from collections.abc import Collection, Iterator, Sequence
from contextlib import closing

from nrs.system import interface, netlink, route, rule
from nrs.system.netlink_socket import BATCH, NetlinkSocket, Refusal
from nrs.system.placing import Address, Plan, Present, Thing, Up, removals
from nrs.system.route import MAIN, METRIC

_GROUPS = 0x1 | 0x10 | 0x40 | 0x80 | 0x100 | 0x400 | 0x40000
"""Links, addresses, routes and rules of both IP versions (RTMGRP_*, RTNLGRP_*_RULE)."""
_RECEIVE_BYTES = 65536
_EVENT_BYTES = 16 << 20
"""Thousands of routes that somebody removes at once."""
_SO_RCVBUFFORCE = 33
_VERSIONS = (4, 6)


class NetworkView:
    """Two netlink sockets. Methods raise OSError; routes and rules of ours carry `protocol`."""

    def __init__(self, name: str, protocol: int, ports: Collection[int] = ()) -> None:
        """What sockets of these netlink ports do is no event."""
        self.index = socket.if_nametoindex(name)
        self._protocol = protocol
        self._asking = NetlinkSocket()
        self._ports = {self._asking.port, *ports}
        self._events = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK,
            socket.NETLINK_ROUTE,
        )
        try:
            self._events.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _EVENT_BYTES)
        except PermissionError:
            self._events.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _EVENT_BYTES)
        try:
            self._events.bind((0, _GROUPS))
        except OSError:
            self.close()
            raise

    def fileno(self) -> int:
        """Readable when there are events."""
        return self._events.fileno()

    def close(self) -> None:
        """Close the sockets."""
        self._asking.close()
        self._events.close()

    def carry_out(self, requests: Sequence[bytes]) -> list[Refusal]:
        """All of them, in this order; what the kernel refuses."""
        refused = []
        for start in range(0, len(requests), BATCH):
            refused += self._asking.carry_out(requests[start : start + BATCH])
        return refused

    def read(self) -> Present:
        """All that is in place now."""
        present = Present(names=dict(socket.if_nameindex()))
        if self.index not in present.names:
            raise OSError(errno.ENODEV, os.strerror(errno.ENODEV))
        for kind, body in self._dump(interface.GET_LINK, interface.question_links()):
            index, up = interface.link_of(body)
            if kind == interface.NEW_LINK and up:
                present.up.add(index)
        if self.index in present.up:
            present.things.add(Up())
        for kind, body in self._dump(interface.GET_ADDRESS, interface.question()):
            if kind != interface.NEW_ADDRESS:
                continue
            index, packed, bits = interface.address_of(body)
            present.addresses.append((index, packed))
            if index == self.index:
                present.things.add(Address(packed, bits))
        for version in _VERSIONS:
            for kind, body in self._dump(rule.GET_RULE, rule.question(version)):
                found = rule.decode(body) if kind == rule.NEW_RULE else None
                if found is not None and found[1] == self._protocol:
                    present.things.add(found[0])
            self._read_routes(version, present)
        return present

    def _read_routes(self, version: int, present: Present) -> None:
        for kind, body in self._dump(route.GET_ROUTE, route.question(version)):
            if kind != route.NEW_ROUTE:
                continue
            if route.protocol_of(body) == self._protocol:
                present.things.add(route.canonical(body))
            elif (other := route.decode(body)) is not None:
                present.others.append(other)

    def _dump(self, question: int, body: bytes) -> Iterator[tuple[int, bytes]]:
        for count, answer in enumerate(self._asking.dump(question, body)):
            if count % BATCH == 0:
                time.sleep(0)  # the packet loop may be waiting for the interpreter
            yield answer

    def changed(self, plan: Plan) -> bool:
        """Whether what has been told since the last call concerns us and `plan`; never waits.

        What this object has changed itself, or one whose port it was told, does not.
        """
        found = False
        while True:
            try:
                data, sender = self._events.recvfrom(_RECEIVE_BYTES)
            except (BlockingIOError, InterruptedError):
                return found
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                found = True  # some were lost
                continue
            if sender[0] != 0 or found:  # anybody may send to a netlink socket; the kernel is 0
                continue
            found = any(
                port not in self._ports and self._concerns(kind, body, plan)
                for kind, _, port, body in netlink.told(data)
            )

    def _concerns(self, kind: int, body: bytes, plan: Plan) -> bool:
        if kind in {route.NEW_ROUTE, route.DEL_ROUTE}:
            if route.protocol_of(body) == self._protocol:
                return True
            other = route.decode(body)
            if other is None:
                return route.metric_of(body) == METRIC
            if other.metric == METRIC:  # it may have replaced one of ours, of which nobody tells
                return True
            if any(hop.interface in plan.interfaces for hop in other.hops):
                return True
            return other.table == MAIN and (other.connected or other.prefix in plan.prefixes)
        if kind == rule.DEL_RULE:
            gone = rule.decode(body)
            return gone is not None and gone[1] == self._protocol
        if kind in {interface.NEW_LINK, interface.DEL_LINK}:
            index, up = interface.link_of(body)
            if index == self.index:
                return kind == interface.DEL_LINK or not up
            return index in plan.interfaces
        if kind in {interface.NEW_ADDRESS, interface.DEL_ADDRESS}:
            index, packed, _ = interface.address_of(body)
            if index == self.index:
                return kind == interface.DEL_ADDRESS
            return packed in plan.sources
        return False


def set_arp(name: str, key: str, value: int) -> None:
    """Change an interface's setting. Raises OSError."""
    with closing(NetlinkSocket()) as asking:
        request = interface.set_ipv4(socket.if_nametoindex(name), key, value)
        for refusal in asking.carry_out([request]):
            raise OSError(refusal.errno, os.strerror(refusal.errno))


def remove_leftovers(protocol: int) -> int:
    """Remove every route and rule that carries `protocol`, whoever left it; how many they were.

    Raises OSError.
    """
    with closing(NetlinkSocket()) as asking:
        things: set[Thing] = set()
        for version in _VERSIONS:
            for kind, body in asking.dump(rule.GET_RULE, rule.question(version)):
                found = rule.decode(body) if kind == rule.NEW_RULE else None
                if found is not None and found[1] == protocol:
                    things.add(found[0])
            asked = route.question(version, protocol=protocol)
            for kind, body in asking.dump(route.GET_ROUTE, asked):
                if kind == route.NEW_ROUTE and route.protocol_of(body) == protocol:
                    things.add(route.canonical(body))
        requests = removals(things, protocol)
        refused = 0
        for start in range(0, len(requests), BATCH):
            refused += len(asking.carry_out(requests[start : start + BATCH]))
    return len(requests) - refused
