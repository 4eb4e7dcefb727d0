"""A netlink socket that asks the kernel and waits for its answer (rtnetlink, RFC 3549).

One system call brings the kernel a batch of requests, at 4 us each, and one message tells that
it is done: who waits for that leaves the interpreter to others meanwhile, where pyroute2 computes
for 500 us for each.
"""

from __future__ import annotations

import itertools
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from nrs.system import netlink

BATCH = 64
"""Requests of one `carry_out`: the socket has room for that many refusals."""
_ERRNO = struct.Struct("=i")
_SOL_NETLINK, _STRICT_CHECK = 270, 12
_RECEIVE_BYTES = 65536
_TIMEOUT = struct.pack("@ll", 5, 0)


class Refusal(NamedTuple):
    """A request that the kernel did not carry out: its type and body, and why."""

    kind: int
    body: bytes
    errno: int


class NetlinkSocket:
    """Requests and dumps; raises OSError where the kernel cannot be asked at all."""

    def __init__(self) -> None:
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
        self.port: int = self._socket.getsockname()[0]
        """By which the kernel tells what this socket has caused."""

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def carry_out(self, requests: Sequence[bytes]) -> list[Refusal]:
        """At most BATCH requests, in this order; what the kernel refuses."""
        last = next(self._sequence)
        done = netlink.message(netlink.NOOP, netlink.REQUEST | netlink.ACK, last, b"")
        self._socket.send(b"".join([*requests, done]))
        refused = []
        for kind, _, body in self._answers(last):
            code = -_ERRNO.unpack_from(body)[0] if kind == netlink.ERROR else 0
            if code:
                # The request is in it.
                for asked, _, of in netlink.messages(body[_ERRNO.size :]):
                    refused.append(Refusal(asked, of, code))
        return refused

    def dump(self, question: int, body: bytes) -> Iterator[tuple[int, bytes]]:
        """Type and body of each message of the answer; nothing where the host has none of it."""
        sequence = next(self._sequence)
        self._socket.send(netlink.message(question, netlink.REQUEST | netlink.DUMP, sequence, body))
        for kind, _, answer in self._answers(sequence):
            if kind not in {netlink.DONE, netlink.ERROR}:
                yield kind, answer

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
