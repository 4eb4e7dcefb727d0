"""Sealing frames into datagrams."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

from nrs.tunnel import inner, virtio, wire
from nrs.tunnel.codec.carrier import MOST_SEGMENTS, MOST_SEND_BYTES, OUTBOX_BYTES
from nrs.tunnel.codec.python.aead import Aead
from nrs.tunnel.codec.python.frames import PythonFrames
from nrs.tunnel.codec.python.headers import (
    SYN,
    TCP_FLAGS,
    clamp_mss,
    ecn_of,
    is_head,
    rebuild,
)
from nrs.tunnel.codec.python.layout import (
    BATCH,
    BATCH_PARTIAL,
    DATA,
    FRAGMENT,
    LAST,
    PARTIAL,
    PLACE_BYTES,
    SEGMENT,
)
from nrs.tunnel.codec.sealing import COUNTER_BYTES
from nrs.tunnel.inner import TCP, UDP, Packet
from nrs.tunnel.keys import TagKey
from nrs.tunnel.wire import HEADER_BYTES, TAG_BYTES, Cipher, Type

_MOST_SENDS = 512
_MOST_SLICES = 256
"""What a slice's one-byte index can number."""
_MAY_BE_TCP = frozenset({TCP, *inner.EXTENSIONS})
"""What an IP header says of its next one."""
_U16 = struct.Struct("!H")
_VNET = virtio.HEADER_BYTES


class Send(NamedTuple):
    """Datagrams for one system call: `each` bytes, the last may be shorter."""

    offset: int
    length: int
    each: int
    ecn: int


@dataclass
class Sealed:
    """What has come of sealing; `used` bytes of room are taken by now."""

    next: int = 0
    """The first frame that did not fit."""
    used: int = 0
    datagrams: int = 0
    packets: int = 0
    bytes: int = 0
    batches: int = 0
    batched: int = 0
    malformed: int = 0
    too_long: int = 0
    """Bit n: frame n is to be answered with "packet too big"."""


class Cut(NamedTuple):
    """How a super-packet is cut: slices of `gso` bytes, each in so many pieces."""

    head: int
    gso: int
    slices: int
    pieces: int


def _more(overhead: int, pieces: int, head: int = 0) -> int:
    """The bytes that a slice or packet in so many pieces takes beside its payload."""
    return pieces * overhead + PLACE_BYTES + head


def _cut_of(body: int, frame: memoryview, packet: memoryview) -> Cut | None:
    """TCP may be cut anywhere, so no slice is longer than a body.

    Where UDP is cut means something: a slice that is too long is split as any packet. None for
    what is no super-packet.
    """
    _, _, _, gso, start, offset = virtio.HEADER.unpack_from(frame)
    total, pieces = len(packet), 1
    head = total
    if offset == inner.CHECKSUM_OFFSET[TCP] and start + 20 <= total:
        head = start + (packet[start + 12] >> 4) * 4
    elif offset == inner.CHECKSUM_OFFSET[UDP]:
        head = start + 8
    if head > 255 or not gso or head >= total:
        return None
    if head + gso > body:
        if offset == inner.CHECKSUM_OFFSET[TCP]:
            gso = body - head
        elif head + gso > wire.LONGEST_PACKET or not is_head(bytes(packet[:head])):
            return None
        else:
            pieces = -(-(PLACE_BYTES + head + gso) // body)
    slices = -(-(total - head) // gso)
    return Cut(head, gso, slices, pieces) if slices <= _MOST_SLICES else None


class PythonSealer:
    """See `codec.sealing.Sealer`."""

    __slots__ = (
        "_cipher",
        "_counter",
        "aead",
        "body",
        "inner",
        "key_id",
        "lane",
        "outer",
        "overhead",
        "peer_index",
        "settled",
        "tag_key",
    )

    def __init__(
        self,
        key: bytes,
        peer_index: int,
        key_id: int = 0,
        lane: int = 0,
        memory: memoryview | None = None,
        cipher: Cipher = Cipher.NONE,
    ) -> None:
        self._cipher = cipher
        self.aead = Aead.of(cipher, key)
        self.overhead = cipher.overhead
        self.tag_key = TagKey(key)
        self.inner = self.tag_key.inner
        self.outer = self.tag_key.outer
        self.peer_index = peer_index
        self.key_id = key_id
        self.lane = lane
        self.body = cipher.safe_body
        self.settled = False
        self._counter = (memory or memoryview(bytearray(COUNTER_BYTES))).cast("Q")

    @property
    def sequence(self) -> int:
        return self._counter[0]

    @sequence.setter
    def sequence(self, value: int) -> None:
        self._counter[0] = value

    def limit(self, body: int, *, settled: bool) -> None:
        self.body = min(max(body, self._cipher.least_body), self._cipher.longest_body)
        self.settled = settled

    def control(self, kind: Type, body: bytes = b"", *, flags: int = 0, specific: int = 0) -> bytes:
        return self.datagram(wire.first_byte(kind), flags, specific, body)

    def datagram(self, first: int, flags: int, specific: int, body: Packet) -> bytes:
        """The next datagram."""
        header = self.header(first, flags, specific)
        if self.aead is not None:
            return self.aead.seal(header, body)
        signed = header + body
        return signed + self.tag_key.tag(signed)

    def header(self, first: int, flags: int, specific: int) -> bytes:
        """The header of the next datagram."""
        sequence = self.sequence = self.sequence + 1
        return wire.HEADER.pack(
            first, flags, self.key_id, self.lane, self.peer_index, sequence, specific
        )


class _Batch:
    """Small packets that wait for one datagram."""

    __slots__ = ("ecn", "entries", "length")

    def __init__(self) -> None:
        self.entries: list[tuple[Packet, bool]] = []
        self.length = 0
        self.ecn = 0


class Datagrams:
    """Datagrams, ready to be sent: in `view`, as `sends` says."""

    def __init__(self) -> None:
        self._buffer = bytearray(OUTBOX_BYTES)
        self.view = memoryview(self._buffer)
        self.sends: list[Send] = []
        self._used = 0

    def clear(self) -> None:
        """Have none."""
        self.sends = []
        self._used = 0

    def seal(self, sealer: PythonSealer, frames: PythonFrames, first: int, end: int) -> Sealed:
        """Append what frames [first, end) make, as far as there is room."""
        result = Sealed()
        batch = _Batch()
        body, view, overhead = sealer.body, frames.view, sealer.overhead
        one = _more(overhead, 1)
        index = first
        while index < end:
            offset, length = frames.offsets[index], frames.lengths[index]
            frame = view[offset : offset + length]
            packet = frame[_VNET:]
            if length < _VNET or not inner.version(packet):
                result.malformed += 1
                index += 1
                continue
            cut, total, slices, more = None, length - _VNET, 1, one
            if frame[1]:
                cut = _cut_of(body, frame, packet)
                if cut is None:
                    result.malformed += 1
                    index += 1
                    continue
                slices, more = cut.slices, cut.slices * _more(overhead, cut.pieces, cut.head)
            elif total > body:
                if total > wire.LONGEST_PACKET:
                    result.malformed += 1
                    index += 1
                    continue
                if sealer.settled and inner.may_refuse(packet):
                    result.too_long |= 1 << index
                    index += 1
                    continue
                more = _more(overhead, -(-(PLACE_BYTES + total) // body))
            if batch.entries:
                more += overhead + batch.length
            room, sends = OUTBOX_BYTES - self._used, _MOST_SENDS - len(self.sends)
            if room < more + total + body or sends < slices + 2:
                break
            if cut is not None:
                self._close(sealer, batch, result)
                self._super(sealer, packet, cut, result)
            else:
                self._small(sealer, frame, packet, batch, result)
            index += 1
        self._close(sealer, batch, result)
        result.next = index
        result.used = self._used
        return result

    def _append(self, count: int, length: int, ecn: int) -> None:
        """Add `count` datagrams of `length` bytes to the sends: to the last one what fits."""
        sends = self.sends
        while count:
            taken = min(count, MOST_SEGMENTS, MOST_SEND_BYTES // length)
            send = Send(self._used, taken * length, length, ecn)
            if sends:
                offset, before, each, marked = sends[-1]
                if (
                    marked == ecn
                    and offset + before == self._used
                    and length <= each
                    and before % each == 0
                ):
                    room = min(MOST_SEGMENTS - before // each, (MOST_SEND_BYTES - before) // length)
                    if room > 0:
                        taken = min(count, room) if length == each else 1
                        send = Send(offset, before + taken * length, each, ecn)
                        sends.pop()
            sends.append(send)
            self._used += taken * length
            count -= taken

    def _super(self, sealer: PythonSealer, packet: memoryview, cut: Cut, result: Sealed) -> None:
        head_bytes, gso, total = cut.head, cut.gso, len(packet)
        result.packets += cut.slices
        result.bytes += total
        if cut.pieces > 1:
            self._split_slices(sealer, packet, cut, result)
            return
        head = bytes(packet[:head_bytes])
        ecn = ecn_of(head)
        each = sealer.overhead + head_bytes + gso
        buffer, view, at, aead = self._buffer, self.view, self._used, sealer.aead
        pack, make_inner, make_outer = wire.SEGMENT_HEADER.pack, sealer.inner, sealer.outer
        key_id, lane, peer, sequence = (
            sealer.key_id,
            sealer.lane,
            sealer.peer_index,
            sealer.sequence,
        )
        sealer.sequence += cut.slices  # before any is sealed
        began, before = at, HEADER_BYTES + head_bytes
        for index, position in enumerate(range(head_bytes, total, gso)):
            after = position + gso
            flags = PARTIAL
            if after >= total:
                flags, after = PARTIAL | LAST, total
            sequence += 1
            header = pack(SEGMENT, flags, key_id, lane, peer, sequence, index, head_bytes, gso)
            if aead is not None:
                datagram = aead.seal(header, head + packet[position:after])
                buffer[at : at + len(datagram)] = datagram
                at += len(datagram)
                continue
            body = at + before
            close = body + after - position
            buffer[at:body] = header + head
            buffer[body:close] = packet[position:after]
            digest = make_inner()
            digest.update(view[at:close])
            outer = make_outer()
            outer.update(digest.digest())
            at = close + TAG_BYTES
            buffer[close:at] = outer.digest()
        whole, rest = divmod(at - began, each)
        self._append(whole, each, ecn)
        if rest:
            self._append(1, rest, ecn)
        result.datagrams += cut.slices

    def _split_slices(
        self, sealer: PythonSealer, packet: memoryview, cut: Cut, result: Sealed
    ) -> None:
        """Slices of UDP that are too long: where they are cut means something."""
        head = bytes(packet[: cut.head])
        ecn = ecn_of(head)
        for index, at in enumerate(range(cut.head, len(packet), cut.gso)):
            header, *parts = rebuild(head, [packet[at : at + cut.gso]], index, cut.gso, False)
            _, _, _, _, start, offset = virtio.HEADER.unpack(header)
            whole = memoryview(b"".join(parts))
            self._packet(sealer, whole, PARTIAL, start << 16 | offset, ecn, result)

    def _packet(
        self,
        sealer: PythonSealer,
        packet: Packet,
        flags: int,
        place: int,
        ecn: int,
        result: Sealed,
    ) -> None:
        """One packet as DATA, or in pieces where it is too long for that."""
        limit = sealer.body
        if len(packet) <= limit:
            self._datagram(sealer, DATA, flags, place, packet, ecn, result)
            return
        content = place.to_bytes(PLACE_BYTES, "big") + packet
        count = -(-len(content) // limit)
        for index in range(count):
            piece = content[index * limit : (index + 1) * limit]
            specific = index << 24 | count << 16 | len(content)
            self._datagram(sealer, FRAGMENT, flags, specific, piece, ecn, result)

    def _small(
        self,
        sealer: PythonSealer,
        frame: memoryview,
        packet: Packet,
        batch: _Batch,
        result: Sealed,
    ) -> None:
        flags, _, _, _, start, offset = virtio.HEADER.unpack_from(frame)
        partial = bool(flags & virtio.NEEDS_CHECKSUM)
        total = len(packet)
        ecn = ecn_of(packet)
        derivable = not partial
        if partial:
            protocol, at = inner.transport(packet)
            derivable = inner.CHECKSUM_OFFSET.get(protocol) == offset and at == start
            syn = protocol == TCP and at + 20 <= total and packet[at + TCP_FLAGS] & SYN
        else:
            syn = packet[9 if packet[0] >> 4 == 4 else 6] in _MAY_BE_TCP
        result.packets += 1
        result.bytes += total
        limit = sealer.body
        if syn and total <= limit:
            packet = clamp_mss(packet, limit, partial=partial)
        if total + 2 > limit or not derivable:
            self._close(sealer, batch, result)
            specific = start << 16 | offset if partial else 0
            self._packet(sealer, packet, int(partial), specific, ecn, result)
            return
        if batch.entries and (batch.ecn != ecn or batch.length + 2 + total > limit):
            self._close(sealer, batch, result)
        batch.ecn = ecn
        batch.entries.append((packet, partial))
        batch.length += 2 + total

    def _close(self, sealer: PythonSealer, batch: _Batch, result: Sealed) -> None:
        entries = batch.entries
        if not entries:
            return
        if len(entries) == 1:
            packet, partial = entries[0]
            specific = 0
            if partial:
                protocol, start = inner.transport(packet)
                specific = start << 16 | inner.CHECKSUM_OFFSET[protocol]
            self._datagram(sealer, DATA, int(partial), specific, packet, batch.ecn, result)
        else:
            parts: list[Packet] = []
            for packet, partial in entries:
                parts.append(_U16.pack(len(packet) | (BATCH_PARTIAL if partial else 0)))
                parts.append(packet)
            body = b"".join(parts)
            self._datagram(sealer, BATCH, 0, len(entries), body, batch.ecn, result)
            result.batches += 1
            result.batched += len(entries)
        batch.entries = []
        batch.length = 0

    def _datagram(
        self,
        sealer: PythonSealer,
        first: int,
        flags: int,
        specific: int,
        body: Packet,
        ecn: int,
        result: Sealed,
    ) -> None:
        at = self._used
        datagram = sealer.datagram(first, flags, specific, body)
        self._buffer[at : at + len(datagram)] = datagram
        self._append(1, len(datagram), ecn)
        result.datagrams += 1
