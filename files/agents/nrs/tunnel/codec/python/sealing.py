"""Sealing frames into datagrams."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import NamedTuple

from nrs.tunnel import inner, virtio, wire
from nrs.tunnel.codec.carrier import MOST_SEGMENTS, MOST_SEND_BYTES, OUTBOX_BYTES
from nrs.tunnel.codec.python.frames import PythonFrames
from nrs.tunnel.codec.python.headers import ecn_of
from nrs.tunnel.codec.python.layout import BATCH, BATCH_PARTIAL, DATA, LAST, PARTIAL, SEGMENT
from nrs.tunnel.codec.sealing import COUNTER_BYTES
from nrs.tunnel.inner import TCP, UDP
from nrs.tunnel.keys import TagKey
from nrs.tunnel.wire import HEADER_BYTES, OVERHEAD, TAG_BYTES, Type

_MOST_SENDS = 512
_MOST_SLICES = 256
"""What a slice's one-byte index can number."""
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


class PythonSealer:
    """See `codec.sealing.Sealer`."""

    __slots__ = ("_counter", "inner", "key_id", "lane", "outer", "peer_index", "tag_key")

    def __init__(
        self,
        key: bytes,
        peer_index: int,
        key_id: int = 0,
        lane: int = 0,
        memory: memoryview | None = None,
    ) -> None:
        self.tag_key = TagKey(key)
        self.inner = self.tag_key.inner
        self.outer = self.tag_key.outer
        self.peer_index = peer_index
        self.key_id = key_id
        self.lane = lane
        self._counter = (memory or memoryview(bytearray(COUNTER_BYTES))).cast("Q")

    @property
    def sequence(self) -> int:
        return self._counter[0]

    @sequence.setter
    def sequence(self, value: int) -> None:
        self._counter[0] = value

    def control(self, kind: Type, body: bytes = b"", *, flags: int = 0, specific: int = 0) -> bytes:
        signed = self.header(wire.first_byte(kind), flags, specific) + body
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
        self.entries: list[tuple[memoryview, bool]] = []
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
        index = first
        while index < end:
            offset, length = frames.offsets[index], frames.lengths[index]
            frame = frames.view[offset : offset + length]
            packet = frame[_VNET:]
            if length < _VNET or not inner.version(packet):
                result.malformed += 1
                index += 1
                continue
            if not self._has_room(frame, batch):
                break
            if frame[1]:
                self._close(sealer, batch, result)
                self._super(sealer, frame, result)
            else:
                self._small(sealer, frame, packet, batch, result)
            index += 1
        self._close(sealer, batch, result)
        result.next = index
        result.used = self._used
        return result

    def _has_room(self, frame: memoryview, batch: _Batch) -> bool:
        total = len(frame) - _VNET
        pending = OVERHEAD + batch.length if batch.entries else 0
        gso = virtio.HEADER.unpack_from(frame)[3] if frame[1] else 0
        slices = total // gso + 1 if gso else 1
        heads = slices * 255 if gso else 0
        need = pending + slices * OVERHEAD + heads + total + wire.LARGEST_BODY
        return OUTBOX_BYTES - self._used >= need and _MOST_SENDS - len(self.sends) >= slices + 2

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

    def _super(self, sealer: PythonSealer, frame: memoryview, result: Sealed) -> None:
        _, _, _, gso, start, offset = virtio.HEADER.unpack_from(frame)
        packet = frame[_VNET:]
        total = len(packet)
        if offset == inner.CHECKSUM_OFFSET[TCP] and start + 20 <= total:
            head_bytes = start + (packet[start + 12] >> 4) * 4
        elif offset == inner.CHECKSUM_OFFSET[UDP]:
            head_bytes = start + 8
        else:
            head_bytes = total
        if (
            head_bytes > 255
            or not gso
            or head_bytes >= total
            or head_bytes + gso > wire.LARGEST_BODY
            or total - head_bytes > _MOST_SLICES * gso
        ):
            result.malformed += 1
            return
        head = bytes(packet[:head_bytes])
        ecn = ecn_of(head)
        each = OVERHEAD + head_bytes + gso
        buffer, view, at = self._buffer, self.view, self._used
        pack, make_inner, make_outer = wire.SEGMENT_HEADER.pack, sealer.inner, sealer.outer
        key_id, lane, peer, sequence = (
            sealer.key_id,
            sealer.lane,
            sealer.peer_index,
            sealer.sequence,
        )
        began, before = at, HEADER_BYTES + head_bytes
        slices = 0
        for slices, position in enumerate(range(head_bytes, total, gso)):
            after = position + gso
            flags = PARTIAL
            if after >= total:
                flags, after = PARTIAL | LAST, total
            sequence += 1
            body = at + before
            cut = body + after - position
            buffer[at:body] = (
                pack(SEGMENT, flags, key_id, lane, peer, sequence, slices, head_bytes, gso) + head
            )
            buffer[body:cut] = packet[position:after]
            digest = make_inner()
            digest.update(view[at:cut])
            outer = make_outer()
            outer.update(digest.digest())
            at = cut + TAG_BYTES
            buffer[cut:at] = outer.digest()
        slices += 1
        sealer.sequence = sequence
        whole, rest = divmod(at - began, each)
        self._append(whole, each, ecn)
        if rest:
            self._append(1, rest, ecn)
        result.datagrams += slices
        result.packets += slices
        result.bytes += total

    def _small(
        self,
        sealer: PythonSealer,
        frame: memoryview,
        packet: memoryview,
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
        result.packets += 1
        result.bytes += total
        if total + 2 > wire.LARGEST_BODY or not derivable:
            self._close(sealer, batch, result)
            specific = start << 16 | offset if partial else 0
            self._datagram(sealer, DATA, int(partial), specific, packet, ecn, result)
            return
        if batch.entries and (batch.ecn != ecn or batch.length + 2 + total > wire.LARGEST_BODY):
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
            parts: list[bytes | memoryview] = []
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
        body: bytes | memoryview,
        ecn: int,
        result: Sealed,
    ) -> None:
        at = self._used
        signed = sealer.header(first, flags, specific) + body
        cut = at + len(signed)
        self._buffer[at:cut] = signed
        self._buffer[cut : cut + TAG_BYTES] = sealer.tag_key.tag(signed)
        self._append(1, len(signed) + TAG_BYTES, ecn)
        result.datagrams += 1
