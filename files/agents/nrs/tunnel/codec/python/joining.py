"""Small UDP packets joined into one super-packet, as the kernel's own GRO would."""

from __future__ import annotations

import struct

from nrs.tunnel.codec.carrier import MOST_SEGMENTS
from nrs.tunnel.codec.python.headers import rebuild
from nrs.tunnel.inner import UDP

_U16 = struct.Struct("!H")
_HEAD4, _HEAD6 = 28, 48
"""Bytes of the headers of UDP over IPv4 and IPv6, without options."""


class Joined:
    """Small UDP packets of one flow that follow each other, as the kernel's own GRO joins them.

    The frame of the first one is the newest of the inbox.
    """

    def __init__(self) -> None:
        self.payloads: list[memoryview] = []
        self._original: memoryview
        self._head = self._gso = 0

    def begin(self, packet: memoryview, head: int) -> None:
        """A packet that the next ones may be joined to; `head` bytes are its headers."""
        self._original, self._head, self._gso = packet, head, len(packet) - head
        self.payloads = [packet[head:]]

    def continues(self, packet: memoryview, head: int) -> bool:
        """Whether a packet is the next one: equal but for lengths, checksums and the next IP id."""
        payloads, first = self.payloads, self._original if self.payloads else packet
        if (
            not payloads
            or len(payloads[-1]) < self._gso
            or head != self._head
            or len(packet) - head > self._gso
            or len(payloads) == MOST_SEGMENTS
        ):
            return False
        if head == _HEAD4:
            identity = _U16.unpack_from(first, 4)[0] + len(payloads) & 0xFFFF
            return (
                packet[:2] == first[:2]
                and _U16.unpack_from(packet, 4)[0] == identity
                and packet[6:10] == first[6:10]
                and packet[12:24] == first[12:24]
            )
        return packet[:4] == first[:4] and packet[6:44] == first[6:44]

    def end(self, frames: list[list[bytes | bytearray | memoryview]]) -> None:
        """Make one frame of them, in the place of the first one's."""
        payloads, self.payloads = self.payloads, []
        if len(payloads) > 1:
            head = frames[-1][1][: self._head]  # with the ECN of the way
            frames[-1] = rebuild(head, payloads, 0, self._gso, True)


def plain_udp(packet: memoryview) -> int:
    """The length of the headers of a whole UDP packet without options; 0 for any other."""
    size = len(packet)
    if size >= _HEAD4 and packet[0] == 0x45:
        fragment = _U16.unpack_from(packet, 6)[0] & 0x3FFF
        if _U16.unpack_from(packet, 2)[0] != size or fragment or packet[9] != UDP:
            return 0
        head = _HEAD4
    elif size >= _HEAD6 and packet[0] >> 4 == 6:
        if _U16.unpack_from(packet, 4)[0] != size - 40 or packet[6] != UDP:
            return 0
        head = _HEAD6
    else:
        return 0
    return head if size > head and _U16.unpack_from(packet, head - 4)[0] == size - head + 8 else 0
