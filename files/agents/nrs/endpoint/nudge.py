"""Makes this host say where a TCP connection stands, after its tunnel has failed.

An application that only waits sends nothing, so no other router could tell it that the
connection is over. It gets a segment as if from its peer, with a sequence number out of any
window. TCP answers that with what it expects (RFC 9293 section 3.10.7.4), and does nothing
else. The answer takes the new tunnel: its router resets a connection that it does not know,
and one that has survived, because nothing translates it, reaches its peer as a repeated ACK. Pure.
"""

from __future__ import annotations

import math
import struct
from collections import deque
from collections.abc import Callable, Iterable

from nrs.endpoint.flows import ACK, TCP
from nrs.system.checksum import internet_checksum

AT_ONCE = 32
PAUSE_S = 0.050
"""Between `AT_ONCE` of them: kernels may answer no more than 1,000 a second."""

_FLOW4, _FLOW6 = 13, 37
_HOPS = 64
_HEADER4 = struct.Struct("!BBHHHBBH4s4s")
_HEADER6 = struct.Struct("!IHBB16s16s")
_SEGMENT = struct.Struct("!2s2sIIBBHHH")


def nudge(flow: bytes, number: int) -> bytes | None:
    """The packet for a flow (`inner.flow_key`) of TCP, None for another flow.

    `number` is the sequence number, 32 bits: at random it is out of the window.
    """
    if flow[:1] != bytes((TCP,)) or len(flow) not in {_FLOW4, _FLOW6}:
        return None
    size = 4 if len(flow) == _FLOW4 else 16
    own, peer, ports = flow[1 : 1 + size], flow[1 + size : 1 + 2 * size], flow[1 + 2 * size :]

    def segment(checksum: int) -> bytes:
        words = _SEGMENT.size // 4 << 4
        return _SEGMENT.pack(ports[2:], ports[:2], number, number, words, ACK, 0, checksum, 0)

    pseudo = peer + own + struct.pack("!HH", TCP, _SEGMENT.size)
    complete = segment(internet_checksum(pseudo + segment(0)))
    if size == 16:
        return _HEADER6.pack(6 << 28, len(complete), TCP, _HOPS, peer, own) + complete

    def header(checksum: int) -> bytes:
        length = _HEADER4.size + len(complete)
        return _HEADER4.pack(0x45, 0, length, 0, 0, _HOPS, TCP, checksum, peer, own)

    return header(internet_checksum(header(0))) + complete


class Nudges:
    """The packets that are still to be handed to the host, a few at a time."""

    def __init__(self, random: Callable[[int], bytes]) -> None:
        """`random` gives that many bytes."""
        self._random = random
        self._waiting: deque[bytes] = deque()
        self._next = -math.inf

    def add(self, flows: Iterable[bytes]) -> None:
        """These flows have lost their tunnel; those that are not TCP are left out."""
        self._waiting.extend(flow for flow in flows if flow[:1] == bytes((TCP,)))

    def due(self, now: float) -> list[bytes]:
        """The packets to hand over at `now` seconds."""
        if not self._waiting or now < self._next:
            return []
        self._next = now + PAUSE_S
        taken = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
        made = (nudge(flow, int.from_bytes(self._random(4), "big")) for flow in taken)
        return [packet for packet in made if packet is not None]

    def next_due(self) -> float:
        """When `due` has more; infinity where nothing waits."""
        return self._next if self._waiting else math.inf
