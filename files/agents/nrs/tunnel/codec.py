"""Seal frames of a TUN device into datagrams, and open datagrams into frames.

A frame is a virtio-net header and a packet, or a whole TCP or UDP super-packet.
Pure Python: bytes in, bytes out, no I/O.
"""

from __future__ import annotations

import hmac
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from nrs.tunnel import inner, virtio, wire
from nrs.tunnel.figures import Drop, Figures
from nrs.tunnel.keys import TagKey
from nrs.tunnel.replay import ReplayWindow
from nrs.tunnel.wire import DataFlag, Type

NAME = "python"
MOST_SEGMENTS = 64
"""Datagrams in one UDP_SEGMENT send (UDP_MAX_SEGMENTS of older kernels)."""
MOST_SLICES = 256
"""What a slice's one-byte index can number."""
MOST_SEND_BYTES = 65507
"""Payload of the largest UDP datagram over IPv4; what one UDP_SEGMENT send may hold."""

Part = bytes | bytearray | memoryview
_LENGTH = struct.Struct("!H")
_PARTIAL = 0x8000
_DATA = wire.first_byte(Type.DATA)
_SEGMENT = wire.first_byte(Type.SEGMENT)
_BATCH = wire.first_byte(Type.BATCH)
_U32 = struct.Struct("!I")
_TCP_FLAGS = 13
_FIN_PSH = 0x09
_CWR = 0x80


@dataclass(frozen=True)
class Sealed:
    """Datagrams to be sent in order: three parts each; all but the last `segment_bytes` long."""

    parts: list[Part]
    segment_bytes: int


class Sealer:
    """Seals what one lane of a session sends."""

    __slots__ = ("_inner", "_outer", "key_id", "lane", "peer_index", "sequence", "tag_key")

    def __init__(self, key: bytes, peer_index: int, key_id: int = 0, lane: int = 0) -> None:
        self.tag_key = TagKey(key)
        self._inner = self.tag_key.inner
        self._outer = self.tag_key.outer
        self.peer_index = peer_index
        self.key_id = key_id
        self.lane = lane
        self.sequence = 0

    def control(self, kind: Type, body: bytes = b"", *, flags: int = 0, specific: int = 0) -> bytes:
        """One control datagram."""
        self.sequence += 1
        header = wire.HEADER.pack(
            wire.first_byte(kind),
            flags,
            self.key_id,
            self.lane,
            self.peer_index,
            self.sequence,
            specific,
        )
        return header + body + self.tag_key.tag(header, body)

    def data(self, packet: Part, checksum_start: int = 0, checksum_offset: int = 0) -> Sealed:
        """One packet; `checksum_start` is not 0 where its checksum is partial."""
        partial = checksum_start != 0
        self.sequence += 1
        header = wire.HEADER.pack(
            _DATA,
            DataFlag.PARTIAL_CHECKSUM if partial else 0,
            self.key_id,
            self.lane,
            self.peer_index,
            self.sequence,
            checksum_start << 16 | checksum_offset if partial else 0,
        )
        return Sealed([header, packet, self.tag_key.tag(header, packet)], 0)

    def batch(self, body: bytes, count: int) -> Sealed:
        """Several packets, each after its length (see `batch_entry`)."""
        self.sequence += 1
        header = wire.HEADER.pack(
            _BATCH, 0, self.key_id, self.lane, self.peer_index, self.sequence, count
        )
        return Sealed([header, body, self.tag_key.tag(header, body)], 0)

    def segments(self, frame: memoryview) -> Iterator[Sealed]:
        """The slices of a super-packet, in as many sends as the kernel's limits ask for.

        Raises ValueError for a frame that is not a TCP or UDP super-packet.
        """
        _, _, _, gso_size, checksum_start, checksum_offset = virtio.HEADER.unpack_from(frame)
        start = virtio.HEADER_BYTES
        at = start + checksum_start
        if checksum_offset == inner.CHECKSUM_OFFSET[inner.TCP]:
            head_bytes = checksum_start + (frame[at + 12] >> 4) * 4
        elif checksum_offset == inner.CHECKSUM_OFFSET[inner.UDP]:
            head_bytes = checksum_start + 8
        else:
            raise ValueError("super-packet of another protocol")
        first = start + head_bytes
        end = len(frame)
        if head_bytes > 255 or not gso_size or first >= end:
            raise ValueError("super-packet with impossible lengths")
        head = bytes(frame[start:first])
        datagram = wire.OVERHEAD + head_bytes + gso_size
        room = min(MOST_SEGMENTS, MOST_SEND_BYTES // datagram)
        make_inner, make_outer, pack = self._inner, self._outer, wire.SEGMENT_HEADER.pack
        key_id, lane, peer, sequence = self.key_id, self.lane, self.peer_index, self.sequence
        parts: list[Part] = []
        if end - first > MOST_SLICES * gso_size:
            raise ValueError(f"super-packet of more than {MOST_SLICES} slices")
        for index, offset in enumerate(range(first, end, gso_size)):
            after = offset + gso_size
            flags = 1 if after < end else 3
            sequence += 1
            header = (
                pack(_SEGMENT, flags, key_id, lane, peer, sequence, index, head_bytes, gso_size)
                + head
            )
            payload = frame[offset : min(after, end)]
            digest = make_inner()
            digest.update(header)
            digest.update(payload)
            outer = make_outer()
            outer.update(digest.digest())
            parts += (header, payload, outer.digest())
            if len(parts) == 3 * room:
                self.sequence = sequence
                yield Sealed(parts, datagram)
                parts = []
        self.sequence = sequence
        if parts:
            yield Sealed(parts, datagram)


def batch_entry(packet: Part, partial: bool) -> bytes:
    """A packet inside a BATCH: its length, the top bit for a partial checksum, its bytes."""
    return _LENGTH.pack(len(packet) | _PARTIAL if partial else len(packet)) + packet


class Opener:
    """Verifies what one session receives: tag first, then the lane's replay window."""

    __slots__ = ("_inner", "_outer", "windows")

    def __init__(self, key: bytes, lanes: int = 1) -> None:
        tag_key = TagKey(key)
        self._inner = tag_key.inner
        self._outer = tag_key.outer
        self.windows = [ReplayWindow() for _ in range(lanes)]

    def verify(self, datagram: memoryview, lane: int, sequence: int) -> Drop | None:
        """None for a datagram that is authentic and new, else why it is dropped."""
        cut = len(datagram) - wire.TAG_BYTES
        digest = self._inner()
        digest.update(datagram[:cut])
        outer = self._outer()
        outer.update(digest.digest())
        if not hmac.compare_digest(outer.digest(), datagram[cut:]):
            return Drop.TAG
        if lane >= len(self.windows):
            return Drop.MALFORMED
        return None if self.windows[lane].accept(sequence) else Drop.REPLAY


Write = Callable[[list[Part]], object]
Allowed = Callable[[Part], bool]


class Assembler:
    """Puts the packets of one received train together and writes them as frames.

    Slices of one super-packet that follow each other are written as one
    super-packet; nothing is ever merged across a gap, because a slice's index has
    to be the next one and its inner headers the same bytes.
    """

    __slots__ = (
        "_allowed",
        "_figures",
        "_first",
        "_gso_size",
        "_head",
        "_last",
        "_next",
        "_run",
        "_udp_offload",
        "_write",
    )

    def __init__(
        self, write: Write, allowed: Allowed, figures: Figures, *, udp_offload: bool
    ) -> None:
        """`allowed` judges a packet by its addresses; `write` takes a frame in parts."""
        self._write = write
        self._allowed = allowed
        self._udp_offload = udp_offload
        self._run: list[Part] = []
        self._head = b""
        self._first = self._next = self._gso_size = 0
        self._last = False
        self._figures = figures

    def data(self, body: memoryview, flags: int, specific: int) -> Drop | None:
        """A DATA body."""
        self.flush()
        partial = (specific >> 16, specific & 0xFFFF) if flags & 1 else None
        return self._packet(body, partial)

    def batch(self, body: memoryview) -> Drop | None:
        """A BATCH body; what precedes a malformed entry is delivered."""
        self.flush()
        offset, end = 0, len(body)
        result: Drop | None = None
        while offset < end:
            if offset + 2 > end:
                return Drop.MALFORMED
            length = body[offset] << 8 | body[offset + 1]
            offset += 2
            partial, length = length & _PARTIAL, length & ~_PARTIAL
            if not length or offset + length > end:
                return Drop.MALFORMED
            packet = body[offset : offset + length]
            offset += length
            result = self._packet(packet, _partial_fields(packet) if partial else None) or result
        return result

    def _packet(self, packet: memoryview, partial: tuple[int, int] | None) -> Drop | None:
        if not inner.version(packet):
            return Drop.MALFORMED
        if not self._allowed(packet):
            return Drop.SOURCE
        header = virtio.PLAIN
        if partial is not None:
            start, offset = partial
            if not 20 <= start <= len(packet) - offset - 2:
                return Drop.MALFORMED
            header = virtio.HEADER.pack(virtio.NEEDS_CHECKSUM, 0, 0, 0, start, offset)
        self._write([header, packet])
        self._figures.rx_packets += 1
        self._figures.rx_bytes += len(packet)
        return None

    def segment(self, body: memoryview, flags: int, specific: int) -> Drop | None:
        """A SEGMENT body: inner headers and one slice."""
        index, head_bytes, gso_size = specific >> 24, specific >> 16 & 0xFF, specific & 0xFFFF
        head = bytes(body[:head_bytes])
        payload = body[head_bytes:]
        last = flags & DataFlag.LAST
        length = len(payload)
        if index == self._next and self._run and not self._last and head == self._head:
            if length != gso_size and not (last and 0 < length < gso_size):
                return Drop.MALFORMED
            if gso_size != self._gso_size:
                return Drop.MALFORMED
        else:
            self.flush()
            if not _is_head(head) or not 0 < length <= gso_size or (length < gso_size and not last):
                return Drop.MALFORMED
            if not self._allowed(head):
                return Drop.SOURCE
            self._head, self._first, self._gso_size = head, index, gso_size
        self._run.append(payload)
        self._next = index + 1
        self._last = bool(last)
        self._figures.rx_packets += 1
        self._figures.rx_bytes += head_bytes + length
        return None

    def flush(self) -> None:
        """Write the run collected so far; call after each train."""
        if not self._run:
            return
        run, self._run = self._run, []
        if len(run) > 1 and not self._udp_offload and _is_udp(self._head):
            for number, payload in enumerate(run):
                last = self._last and number == len(run) - 1
                self._write(
                    _frame(self._head, [payload], self._first + number, self._gso_size, last)
                )
        else:
            self._write(_frame(self._head, run, self._first, self._gso_size, self._last))


def _partial_fields(packet: memoryview) -> tuple[int, int] | None:
    if not inner.version(packet):
        return None
    protocol, start = inner.transport(packet)
    offset = inner.CHECKSUM_OFFSET.get(protocol)
    return None if offset is None else (start, offset)


def _is_udp(head: bytes) -> bool:
    return inner.transport(head)[0] == inner.UDP


def _is_head(head: bytes) -> bool:
    """Whether these are the headers of a TCP or UDP packet and nothing else."""
    if not inner.version(head):
        return False
    protocol, start = inner.transport(head)
    if start < 20:
        return False
    if protocol == inner.TCP:
        return len(head) >= start + 20 and len(head) == start + (head[start + 12] >> 4) * 4
    return protocol == inner.UDP and len(head) == start + 8


def _sum16(data: bytes | bytearray) -> int:
    return sum(struct.unpack(f"!{len(data) // 2}H", data))


def _fold(total: int) -> int:
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _frame(
    original: bytes, run: list[Part], first: int, gso_size: int, whole_end: bool
) -> list[Part]:
    """One packet or super-packet from slices `first`... of the super-packet of `original`.

    Lengths, IP id, TCP sequence number and flags, and the partial checksum are made
    right for the slices that are there: FIN and PSH belong to the last slice, CWR to
    the first (RFC 3168 section 6.1.2).
    """
    head = bytearray(original)
    protocol, start = inner.transport(head)
    payload = sum(map(len, run))
    total = len(head) + payload
    transport_bytes = total - start
    if head[0] >> 4 == 4:
        struct.pack_into("!H", head, 2, total)
        if first:
            identity = struct.unpack_from("!H", head, 4)[0]
            struct.pack_into("!H", head, 4, identity + first & 0xFFFF)
        head[10:12] = b"\0\0"
        struct.pack_into("!H", head, 10, ~_fold(_sum16(head[:start])) & 0xFFFF)
        pseudo, tcp_type = _sum16(head[12:20]), virtio.GSO_TCP4
    else:
        struct.pack_into("!H", head, 4, total - 40)
        pseudo, tcp_type = _sum16(head[8:40]), virtio.GSO_TCP6
    if protocol == inner.TCP:
        if first:
            _U32.pack_into(
                head,
                start + 4,
                _U32.unpack_from(head, start + 4)[0] + first * gso_size & 0xFFFFFFFF,
            )
            head[start + _TCP_FLAGS] &= ~_CWR
        if not whole_end:
            head[start + _TCP_FLAGS] &= ~_FIN_PSH
        gso_type = tcp_type | (virtio.GSO_ECN if head[start + _TCP_FLAGS] & _CWR else 0)
    else:
        struct.pack_into("!H", head, start + 4, transport_bytes)
        gso_type = virtio.GSO_UDP
    offset = inner.CHECKSUM_OFFSET[protocol]
    struct.pack_into("!H", head, start + offset, _fold(pseudo + protocol + transport_bytes))
    if len(run) == 1:
        gso_type, gso_size = virtio.GSO_NONE, 0
    prefix = virtio.HEADER.pack(
        virtio.NEEDS_CHECKSUM, gso_type, len(head) if gso_type else 0, gso_size, start, offset
    )
    return [prefix, head, *run]
