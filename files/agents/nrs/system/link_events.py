"""What happens to interfaces and their addresses, as the kernel tells it (rtnetlink, RFC 3549).

The socket is read from the packet loop, so nothing here waits for the kernel but `first`.
"""

from __future__ import annotations

import errno
import itertools
import os
import select
import socket
import struct
import time
from collections.abc import Iterator
from dataclasses import dataclass

from nrs.system import netlink
from nrs.system.link_changes import (
    AddressGone,
    AddressIs,
    Anew,
    Event,
    LinkGone,
    LinkIs,
    Told,
)

_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBi")
_U32 = struct.Struct("=I")

_NEW_LINK, _DEL_LINK, _GET_LINK = 16, 17, 18
_NEW_ADDRESS, _DEL_ADDRESS, _GET_ADDRESS = 20, 21, 22
_GROUPS = 0x1 | 0x10 | 0x100
"""RTMGRP_LINK, RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR."""
_IFLA_IFNAME = 3
_IFA_ADDRESS, _IFA_LOCAL, _IFA_FLAGS = 1, 2, 8

_IFF_UP, _IFF_RUNNING, _IFF_LOWER_UP = 0x1, 0x40, 0x10000
_SCOPE_LINK = 253
_OPTIMISTIC, _DAD_FAILED, _TENTATIVE = 0x04, 0x08, 0x40

_RECEIVE_BYTES = 65536
_MOST_RECEIVES = 8
_DUMP_TIMEOUT_S = 2.0


@dataclass(frozen=True)
class Answered:
    """The kernel's answer to the question with this sequence number is complete."""

    sequence: int


def decode(data: bytes) -> Iterator[Event | Answered]:
    """The events in what one receive has brought; what is cut off or of another kind is left."""
    for kind, sequence, body in netlink.messages(data):
        event = None
        if kind in {netlink.DONE, netlink.ERROR}:
            yield Answered(sequence)
        elif kind in {_NEW_LINK, _DEL_LINK}:
            event = _link(kind, body)
        elif kind in {_NEW_ADDRESS, _DEL_ADDRESS}:
            event = _address(kind, body)
        if event is not None:
            yield event


def _link(kind: int, body: bytes) -> Event | None:
    if len(body) < _LINK.size:
        return None
    family, _, index, flags, _ = _LINK.unpack_from(body)
    # A bridge speaks of its ports in the same messages: a port that leaves it is no link gone.
    if family != socket.AF_UNSPEC:
        return None
    if kind == _DEL_LINK:
        return LinkGone(index)
    name = netlink.attributes(body, _LINK.size).get(_IFLA_IFNAME, b"")
    running = flags & _IFF_RUNNING and flags & _IFF_LOWER_UP
    return LinkIs(index, os.fsdecode(name.rstrip(b"\0")), bool(flags & _IFF_UP), bool(running))


def _address(kind: int, body: bytes) -> Event | None:
    if len(body) < _ADDRESS.size:
        return None
    _, prefix, flags, scope, index = _ADDRESS.unpack_from(body)
    attributes = netlink.attributes(body, _ADDRESS.size)
    # Of a point-to-point link IFA_ADDRESS is the other end.
    other = attributes.get(_IFA_ADDRESS, b"")
    address = attributes.get(_IFA_LOCAL) or other or None
    if address is None:
        return None
    if kind == _DEL_ADDRESS:
        return AddressGone(index, address, prefix)
    if len(wide := attributes.get(_IFA_FLAGS, b"")) == _U32.size:
        flags = _U32.unpack(wide)[0]
    proven = not flags & _DAD_FAILED and (not flags & _TENTATIVE or flags & _OPTIMISTIC)
    peer = b"" if other == address else other
    return AddressIs(index, address, prefix, bool(proven) and scope < _SCOPE_LINK, peer)


class LinkEvents:
    """A netlink socket that tells of every interface and address, then of every change."""

    def __init__(self) -> None:
        """Raises OSError."""
        self._socket = socket.socket(
            socket.AF_NETLINK,
            socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK,
            socket.NETLINK_ROUTE,
        )
        self._sequence = itertools.count(1)
        self._questions: list[int] = []
        self._asked = 0
        try:
            self._socket.bind((0, _GROUPS))
            self._ask_all()
        except OSError:
            self._socket.close()
            raise

    def fileno(self) -> int:
        """For a poller."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def first(self) -> list[Event]:
        """All that there is, up to `Told`; waits for the kernel, so not for the packet loop.

        Raises TimeoutError.
        """
        events: list[Event] = []
        poller = select.poll()
        poller.register(self._socket, select.POLLIN)
        deadline = time.monotonic() + _DUMP_TIMEOUT_S
        while Told() not in events:
            if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
                raise TimeoutError(errno.ETIMEDOUT, "the kernel does not list its interfaces")
            events += self.read()
        return events

    def read(self) -> list[Event]:
        """What there is to be told now, perhaps not all of it; never waits."""
        events: list[Event] = []
        for _ in range(_MOST_RECEIVES):
            try:
                data, sender = self._socket.recvfrom(_RECEIVE_BYTES)
            except (BlockingIOError, InterruptedError):
                break
            except OSError as error:
                if error.errno != errno.ENOBUFS:
                    raise
                events.append(Anew())
                self._ask_all()
                continue
            if sender[0] == 0:  # anybody may send to a netlink socket; the kernel is 0
                events += self._taken(data)
        return events

    def _taken(self, data: bytes) -> Iterator[Event]:
        for event in decode(data):
            if not isinstance(event, Answered):
                yield event
            elif event.sequence == self._asked:
                if self._questions:
                    self._ask()
                else:
                    self._asked = 0
                    yield Told()

    def _ask_all(self) -> None:
        """One after the other: the kernel answers one such question of a socket at a time."""
        busy = self._asked != 0
        self._questions = [_GET_LINK, _GET_ADDRESS]
        if not busy:
            self._ask()

    def _ask(self) -> None:
        kind = self._questions.pop(0)
        self._asked = next(self._sequence)
        body = _LINK.pack(socket.AF_UNSPEC, 0, 0, 0, 0)
        flags = netlink.REQUEST | netlink.DUMP
        self._socket.send(netlink.message(kind, flags, self._asked, body))
