"""The codec in pure Python. The same rules in C, function by function: codec/nrs_codec.c."""

from __future__ import annotations

import errno
import hmac
import os
import struct

from nrs.tunnel import inner, virtio, wire
from nrs.tunnel.codec.interface import (
    AUTHENTIC,
    BAD_TAG,
    DATA,
    FRAMES_BYTES,
    INTAKE_BYTES,
    LARGEST_FRAME,
    MOST_FRAMES,
    MOST_SEGMENTS,
    MOST_SEND_BYTES,
    MOST_SENDS,
    MOST_SLICES,
    OUTBOX_BYTES,
    Check,
    Opened,
    Reason,
    Sealed,
    Send,
    Stop,
    Totals,
)
from nrs.tunnel.inner import TCP, UDP, Owned
from nrs.tunnel.keys import TagKey
from nrs.tunnel.replay import ReplayWindow
from nrs.tunnel.udp_socket import SocketAddress, UdpSocket
from nrs.tunnel.wire import DataFlag, Type

_PARTIAL = int(DataFlag.PARTIAL_CHECKSUM)
_LAST = int(DataFlag.LAST)
_BATCH_PARTIAL = 0x8000
_DATA = wire.first_byte(Type.DATA)
_SEGMENT = wire.first_byte(Type.SEGMENT)
_BATCH = wire.first_byte(Type.BATCH)
_HELLO = wire.first_byte(Type.HELLO)
_HELLO_ACK = wire.first_byte(Type.HELLO_ACK)
_FIRST_CONTROL = wire.first_byte(Type.PROBE)
_LAST_CONTROL = wire.first_byte(Type.BYE)
_NEXT_SLICE = 1 << 24
"""Between the four bytes of one SEGMENT's header and the next one's."""
_U16 = struct.Struct("!H")
_U32 = struct.Struct("!I")
_TCP_FLAGS = 13
_MORE_FRAGMENTS = 0x20
_FIN_PSH = 0x09
_CWR = 0x80
_CE = 3
_HEAD4, _HEAD6 = 28, 48
"""Bytes of the headers of UDP over IPv4 and IPv6, without options."""
_NO_ROOM = frozenset({errno.EAGAIN, errno.ENOBUFS, errno.ENOMEM})
_VNET = virtio.HEADER_BYTES
_HEADER = wire.HEADER_BYTES
_TAG = wire.TAG_BYTES
_OVERHEAD = wire.OVERHEAD


class PythonSealer:
    """See `interface.Sealer`."""

    __slots__ = ("inner", "key_id", "lane", "outer", "peer_index", "sequence", "tag_key")

    def __init__(self, key: bytes, peer_index: int, key_id: int, lane: int) -> None:
        self.tag_key = TagKey(key)
        self.inner = self.tag_key.inner
        self.outer = self.tag_key.outer
        self.peer_index = peer_index
        self.key_id = key_id
        self.lane = lane
        self.sequence = 0

    def control(self, kind: Type, body: bytes = b"", *, flags: int = 0, specific: int = 0) -> bytes:
        signed = self.header(wire.first_byte(kind), flags, specific) + body
        return signed + self.tag_key.tag(signed)

    def header(self, first: int, flags: int, specific: int) -> bytes:
        """The header of the next datagram."""
        self.sequence += 1
        return wire.HEADER.pack(
            first, flags, self.key_id, self.lane, self.peer_index, self.sequence, specific
        )


class PythonOpener:
    """See `interface.Opener`."""

    __slots__ = ("check", "index", "inner", "outer", "owned", "windows")

    def __init__(self, key: bytes, index: int, owned: Owned, check: Check, lanes: int) -> None:
        tag_key = TagKey(key)
        self.inner = tag_key.inner
        self.outer = tag_key.outer
        self.index = index
        self.owned = owned
        self.check = check
        self.windows = [ReplayWindow() for _ in range(lanes)]

    def highest(self, lane: int) -> int:
        return self.windows[lane].highest

    def received(self, lane: int) -> int:
        return self.windows[lane].received

    def verify(self, datagram: memoryview) -> Reason | None:
        """None for a datagram that is authentic and new; it is recorded then."""
        cut = len(datagram) - _TAG
        digest = self.inner()
        digest.update(datagram[:cut])
        outer = self.outer()
        outer.update(digest.digest())
        if not hmac.compare_digest(outer.digest(), datagram[cut:]):
            return Reason.TAG
        lane = datagram[3]
        if lane >= len(self.windows):
            return Reason.MALFORMED
        sequence = int.from_bytes(datagram[8:16], "big")
        return None if self.windows[lane].accept(sequence) else Reason.REPLAY

    def allowed(self, packet: memoryview | bytes) -> bool:
        """Whether the packet's address is the session's own."""
        if self.check is Check.SOURCE:
            return inner.source(packet) in self.owned
        return inner.destination(packet) in self.owned


class PythonPath:
    """See `interface.Path`."""

    __slots__ = ("local", "peer", "socket")

    def __init__(self, socket: UdpSocket, peer: SocketAddress | None, local: bytes | None) -> None:
        self.socket = socket
        self.peer = peer
        self.local = local


class PythonIntake:
    """See `interface.Intake`."""

    def __init__(self) -> None:
        self._buffer = bytearray(INTAKE_BYTES)
        self._view = memoryview(self._buffer)
        self.train = self._view[:0]
        self.index = self.length = self.each = self.ecn = 0
        self.peer: SocketAddress = ()
        self.local: bytes | None = None

    def receive(self, socket: UdpSocket) -> int:
        try:
            length, self.each, self.ecn, peer, self.local = socket.receive_into(self._buffer)
        except BlockingIOError:
            return 0
        except OSError:
            return -1
        self.peer = peer or ()
        self.length = length
        self.train = self._view[:length]
        self.index = self.index_at(0)
        return 1

    def index_at(self, start: int) -> int:
        return _U32.unpack_from(self._buffer, start + 4)[0] if start + 8 <= self.length else 0

    def datagram(self, start: int) -> memoryview:
        return self.train[start : start + self.each]


class PythonFrames:
    """See `interface.Frames`."""

    def __init__(self) -> None:
        self.count = 0
        self._arena = bytearray(FRAMES_BYTES)
        self.view = memoryview(self._arena)
        self.offsets: list[int] = []
        self.lengths: list[int] = []

    def read(self, fd: int) -> bool:
        more = True
        used = 0
        offsets: list[int] = []
        lengths: list[int] = []
        view = self.view
        try:
            while len(offsets) < MOST_FRAMES and FRAMES_BYTES - used >= LARGEST_FRAME:
                length = os.readv(fd, [view[used:]])
                if length == 0:
                    more = False
                    break
                offsets.append(used)
                lengths.append(length)
                used += length
        except BlockingIOError:
            more = False
        self.offsets, self.lengths, self.count = offsets, lengths, len(offsets)
        return more

    def load(self, frames: list[bytes]) -> None:
        used = 0
        self.offsets, self.lengths = [], []
        for frame in frames:
            self.view[used : used + len(frame)] = frame
            self.offsets.append(used)
            self.lengths.append(len(frame))
            used += len(frame)
        self.count = len(frames)

    def flow(self, first: int) -> tuple[int, bytes, int]:
        key, end, flags = inner.flow_key(self._packet(first)), self._group(first), 0
        if key and key[0] == TCP:
            for index in range(first, end):
                flags |= inner.tcp_flags(self._packet(index))
        return end, key, flags

    def _packet(self, index: int) -> memoryview:
        offset = self.offsets[index]
        return self.view[offset + _VNET : offset + max(self.lengths[index], _VNET)]

    def _group(self, first: int) -> int:
        offsets, lengths, arena = self.offsets, self.lengths, self._arena
        if lengths[first] < _VNET or arena[offsets[first] + 1]:
            return first + 1
        key = _flow(self._packet(first))
        end = first + 1
        while end < self.count and lengths[end] >= _VNET and not arena[offsets[end] + 1]:
            if key is None or _flow(self._packet(end)) != key:
                break
            end += 1
        return end


def _flow(packet: memoryview) -> bytes | None:
    """Addresses, protocol and ports: what may be sent, and later moved, together."""
    version = inner.version(packet)
    if not version:
        return None
    addresses = packet[12:20] if version == 4 else packet[8:40]
    protocol, start = inner.transport(packet)
    ports = packet[start : start + 4] if protocol and start + 4 <= len(packet) else b""
    return bytes((protocol,)) + bytes(addresses) + bytes(ports)


class _Batch:
    """Small packets that wait for one datagram."""

    __slots__ = ("ecn", "entries", "length")

    def __init__(self) -> None:
        self.entries: list[tuple[memoryview, bool]] = []
        self.length = 0
        self.ecn = 0


class PythonOutbox:
    """See `interface.Outbox`."""

    def __init__(self) -> None:
        self._buffer = bytearray(OUTBOX_BYTES)
        self.view = memoryview(self._buffer)
        self.totals = Totals()
        self._sends: list[Send] = []
        self._used = 0

    def clear(self) -> None:
        self._sends = []
        self._used = 0

    def sends(self) -> list[Send]:
        return self._sends

    def carry(
        self, sealer: PythonSealer, path: PythonPath, frames: PythonFrames, first: int, end: int
    ) -> None:
        totals = self.totals
        while first < end:
            self.clear()
            sealed = self.seal(sealer, frames, first, end)
            totals.batches += sealed.batches
            totals.batched += sealed.batched
            totals.malformed += sealed.malformed
            before = totals.full
            self._send_all(path)
            # Of what the socket had no room for, packets and bytes are left out by their share.
            lost, of = totals.full - before, sealed.datagrams or 1
            totals.packets += sealed.packets - sealed.packets * lost // of
            totals.bytes += sealed.bytes - sealed.bytes * lost // of
            if sealed.next == first:  # more than a whole buffer
                totals.malformed += 1
                first += 1
            else:
                first = sealed.next

    def _send_all(self, path: PythonPath) -> None:
        send, totals = path.socket.send, self.totals
        for train in self._sends:
            count = -(-train.length // train.each)
            try:
                sent = send(self.view, train, path.peer, path.local)
            except OSError:
                sent = 0
            totals.datagrams += sent
            totals.full += count - sent

    def seal(self, sealer: PythonSealer, frames: PythonFrames, first: int, end: int) -> Sealed:
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
        pending = _OVERHEAD + batch.length if batch.entries else 0
        gso = virtio.HEADER.unpack_from(frame)[3] if frame[1] else 0
        slices = total // gso + 1 if gso else 1
        heads = slices * 255 if gso else 0
        need = pending + slices * _OVERHEAD + heads + total + wire.LARGEST_BODY
        return OUTBOX_BYTES - self._used >= need and MOST_SENDS - len(self._sends) >= slices + 2

    def _append(self, count: int, length: int, ecn: int) -> None:
        """Add `count` datagrams of `length` bytes to the sends: to the last one what fits."""
        sends = self._sends
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
            or total - head_bytes > MOST_SLICES * gso
        ):
            result.malformed += 1
            return
        head = bytes(packet[:head_bytes])
        ecn = _ecn(head)
        each = _OVERHEAD + head_bytes + gso
        buffer, view, at = self._buffer, self.view, self._used
        pack, make_inner, make_outer = wire.SEGMENT_HEADER.pack, sealer.inner, sealer.outer
        key_id, lane, peer, sequence = (
            sealer.key_id,
            sealer.lane,
            sealer.peer_index,
            sealer.sequence,
        )
        began, before = at, _HEADER + head_bytes
        slices = 0
        for slices, position in enumerate(range(head_bytes, total, gso)):
            after = position + gso
            flags = _PARTIAL
            if after >= total:
                flags, after = _PARTIAL | _LAST, total
            sequence += 1
            body = at + before
            cut = body + after - position
            buffer[at:body] = (
                pack(_SEGMENT, flags, key_id, lane, peer, sequence, slices, head_bytes, gso) + head
            )
            buffer[body:cut] = packet[position:after]
            digest = make_inner()
            digest.update(view[at:cut])
            outer = make_outer()
            outer.update(digest.digest())
            at = cut + _TAG
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
        ecn = _ecn(packet)
        derivable = not partial
        if partial:
            protocol, at = inner.transport(packet)
            derivable = inner.CHECKSUM_OFFSET.get(protocol) == offset and at == start
        result.packets += 1
        result.bytes += total
        if total + 2 > wire.LARGEST_BODY or not derivable:
            self._close(sealer, batch, result)
            specific = start << 16 | offset if partial else 0
            self._datagram(sealer, _DATA, int(partial), specific, packet, ecn, result)
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
            self._datagram(sealer, _DATA, int(partial), specific, packet, batch.ecn, result)
        else:
            parts: list[bytes | memoryview] = []
            for packet, partial in entries:
                parts.append(_U16.pack(len(packet) | (_BATCH_PARTIAL if partial else 0)))
                parts.append(packet)
            body = b"".join(parts)
            self._datagram(sealer, _BATCH, 0, len(entries), body, batch.ecn, result)
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
        self._buffer[cut : cut + _TAG] = sealer.tag_key.tag(signed)
        self._append(1, len(signed) + _TAG, ecn)
        result.datagrams += 1


class PythonInbox:
    """See `interface.Inbox`.

    Slices of one super-packet that follow each other are put together; nothing is
    merged across a gap, because a slice's index has to be the next one and its inner
    headers the same bytes.
    """

    def __init__(self, *, udp_offload: bool) -> None:
        self.totals = Totals()
        self.at = self.size = 0
        self._udp_offload = udp_offload
        self._frames: list[list[bytes | bytearray | memoryview]] = []
        self._run: list[memoryview] = []
        self._original = b""
        self._first = self._next = self._gso = self._ecn = 0
        self._ended = False
        self._packets = self._bytes = 0

    def clear(self) -> None:
        self._frames = []

    def frames(self) -> list[bytes]:
        return [b"".join(frame) for frame in self._frames]

    def carry(
        self,
        opener: PythonOpener,
        path: PythonPath,
        _: UdpSocket | None,
        intake: PythonIntake,
        start: int,
        fd: int,
    ) -> int:
        opened = self.open(opener, intake.train, intake.each, start, intake.ecn)
        totals = self.totals
        if self._frames:
            full, refused = self._write(fd)
            totals.full += full
            totals.refused += refused
        if opened.newest and path.peer is not None:
            path.peer, path.local = intake.peer, intake.local
        totals.datagrams += opened.datagrams
        totals.packets += opened.packets
        totals.bytes += opened.bytes
        result = int(opened.stop)
        if opened.authentic:
            result |= AUTHENTIC
        if opened.data:
            result |= DATA
        if any(opened.drops):
            tag, replay, source, malformed = opened.drops
            totals.tag += tag
            totals.replay += replay
            totals.source += source
            totals.malformed += malformed
            if tag:
                result |= BAD_TAG
        self.at, self.size = opened.at, opened.size
        return result

    def _write(self, fd: int) -> tuple[int, int]:
        full = refused = 0
        writev = os.writev
        for frame in self._frames:
            try:
                writev(fd, frame)
            except OSError as error:
                if error.errno in _NO_ROOM:
                    full += 1
                else:
                    refused += 1
        self._frames = []
        return full, refused

    def open(
        self, opener: PythonOpener, train: memoryview, each: int, start: int, ecn: int
    ) -> Opened:
        length = len(train)
        unpack = wire.HEADER.unpack_from
        verify = opener.verify
        index = opener.index
        drops = [0, 0, 0, 0, 0]
        datagrams = authentic = data = 0
        newest = False
        stop, at, size = Stop.DONE, start, 0
        self._packets = self._bytes = 0
        self._ecn = ecn
        while at < length:
            datagram = train[at : at + each]
            size = len(datagram)
            if size < _OVERHEAD:
                datagrams += 1
                drops[Reason.MALFORMED] += 1
                at += each
                continue
            first, flags, _, lane, receiver, sequence, specific = unpack(datagram)
            if receiver != index or first in {_HELLO, _HELLO_ACK}:
                stop = Stop.FOREIGN
                break
            datagrams += 1
            if not _DATA <= first <= _LAST_CONTROL or _BATCH < first < _FIRST_CONTROL:
                drops[Reason.MALFORMED] += 1
                at += each
                continue
            highest = opener.windows[lane].highest if lane < len(opener.windows) else 0
            reason = verify(datagram)
            if reason is not None:
                drops[reason] += 1
                at += each
                continue
            authentic += 1
            newest = newest or sequence > highest
            if first >= _FIRST_CONTROL:
                stop = Stop.CONTROL
                break
            data += 1
            body = datagram[_HEADER : size - _TAG]
            if first == _SEGMENT:
                reason = self._segment(opener, body, flags, specific)
                if reason is None and not self._ended and lane == 0:
                    before = at + each
                    at, bad = self._continue(opener, train, before, each, specific)
                    count = (at - before) // each
                    datagrams += count
                    drops[Reason.TAG] += bad
                    authentic += count - bad
                    data += count - bad
                    continue
            else:
                self._flush()
                if first == _BATCH:
                    reason = self._batch(opener, body)
                else:
                    fields = (specific >> 16, specific & 0xFFFF) if flags & _PARTIAL else None
                    reason = self._packet(opener, body, fields)
            if reason is not None:
                drops[reason] += 1
            at += each
        self._flush()
        return Opened(
            stop=stop,
            at=at,
            size=size if stop is Stop.CONTROL else 0,
            datagrams=datagrams,
            authentic=authentic,
            newest=newest,
            data=data,
            packets=self._packets,
            bytes=self._bytes,
            drops=(drops[1], drops[2], drops[3], drops[4]),
        )

    def _continue(
        self, opener: PythonOpener, train: memoryview, at: int, each: int, specific: int
    ) -> tuple[int, int]:
        """Take the slices that are the very next ones of the run, as nearly all are.

        Where the first other datagram begins, and how many bad tags came before it. This
        is what `open`, `verify` and `_segment` do, for this one case and without the calls.
        """
        window, make_inner, make_outer = opener.windows[0], opener.inner, opener.outer
        unpack, equal, append = wire.HEADER.unpack_from, hmac.compare_digest, self._run.append
        head, gso, index = self._original, self._gso, opener.index
        highest = before = window.highest
        length, body = len(train), _HEADER + len(head)
        payload = bad = 0
        while at < length and not self._ended:
            end = min(at + each, length)
            cut = end - _TAG
            size = cut - at - body
            if size <= 0:
                break
            first, flags, _, lane, receiver, sequence, number = unpack(train, at)
            if (
                first != _SEGMENT
                or number != specific + _NEXT_SLICE
                or sequence != highest + 1
                or receiver != index
                or lane
                or (size != gso and (size > gso or not flags & _LAST))
                or train[at + _HEADER : at + body] != head
            ):
                break
            digest = make_inner()
            digest.update(train[at:cut])
            outer = make_outer()
            outer.update(digest.digest())
            if equal(outer.digest(), train[cut:end]):
                specific, highest = number, sequence
                append(train[at + body : cut])
                payload += size
                self._ended = bool(flags & _LAST)
            else:
                bad += 1
            at += each
        taken = highest - before
        if taken:
            window.extend(taken)
        self._next += taken
        self._packets += taken
        self._bytes += payload + taken * len(head)
        return at, bad

    def _batch(self, opener: PythonOpener, body: memoryview) -> Reason | None:
        """The first reason to leave something out: one datagram counts as one drop."""
        first: Reason | None = None
        joined = _Joined()
        offset, end = 0, len(body)
        while offset < end:
            entry = body[offset] << 8 | body[offset + 1] if offset + 2 <= end else 0
            offset += 2
            size = entry & ~_BATCH_PARTIAL
            if not size or offset + size > end:
                first = first or Reason.MALFORMED
                break
            packet = body[offset : offset + size]
            offset += size
            partial = entry & _BATCH_PARTIAL
            head = _plain_udp(packet) if partial and self._udp_offload else 0
            if head and joined.continues(packet, head):
                joined.payloads.append(packet[head:])
                self._packets += 1
                self._bytes += size
                continue
            joined.end(self._frames)
            reason = self._packet(opener, packet, _partial_fields(packet) if partial else None)
            first = first or reason
            if head and reason is None:
                joined.begin(packet, head)
        joined.end(self._frames)
        return first

    def _packet(
        self, opener: PythonOpener, packet: memoryview, partial: tuple[int, int] | None
    ) -> Reason | None:
        if not inner.version(packet):
            return Reason.MALFORMED
        header = virtio.PLAIN
        if partial is not None:
            start, offset = partial
            if start < _ip_header(packet) or start + offset + 2 > len(packet):
                return Reason.MALFORMED
            header = virtio.HEADER.pack(virtio.NEEDS_CHECKSUM, 0, 0, 0, start, offset)
        if not opener.allowed(packet):
            return Reason.SOURCE
        delivered = _combine_ecn(packet, self._ecn)
        if delivered is None:
            return Reason.MALFORMED
        self._frames.append([header, delivered])
        self._packets += 1
        self._bytes += len(packet)
        return None

    def _segment(
        self, opener: PythonOpener, body: memoryview, flags: int, specific: int
    ) -> Reason | None:
        index, head_bytes, gso = specific >> 24, specific >> 16 & 0xFF, specific & 0xFFFF
        length = len(body) - head_bytes
        last = flags & _LAST
        if length <= 0 or length > gso or (length < gso and not last):
            return Reason.MALFORMED
        head = bytes(body[:head_bytes])
        if not (
            index == self._next
            and self._run
            and not self._ended
            and head == self._original
            and gso == self._gso
        ):
            self._flush()
            if not _is_head(head):
                return Reason.MALFORMED
            if not opener.allowed(head):
                return Reason.SOURCE
            if _combine_ecn(head, self._ecn) is None:
                return Reason.MALFORMED
            self._original, self._first, self._gso = head, index, gso
        self._run.append(body[head_bytes:])
        self._next = index + 1
        self._ended = bool(last)
        self._packets += 1
        self._bytes += len(body)
        return None

    def _flush(self) -> None:
        if not self._run:
            return
        run, self._run = self._run, []
        head = _combine_ecn(self._original, self._ecn)
        assert head is not None
        if len(run) > 1 and not self._udp_offload and inner.transport(head)[0] == UDP:
            for index, payload in enumerate(run, self._first):
                self._frames.append(_frame(head, [payload], index, self._gso, False))
        else:
            self._frames.append(_frame(head, run, self._first, self._gso, self._ended))


class _Joined:
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
            frames[-1] = _frame(head, payloads, 0, self._gso, True)


def _plain_udp(packet: memoryview) -> int:
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


def _partial_fields(packet: memoryview) -> tuple[int, int] | None:
    if not inner.version(packet):
        return None
    protocol, start = inner.transport(packet)
    offset = inner.CHECKSUM_OFFSET.get(protocol)
    return None if offset is None else (start, offset)


def _ip_header(packet: memoryview) -> int:
    """Where a checksum may begin at the earliest: behind the addresses that were looked at."""
    return max(20, (packet[0] & 0x0F) * 4) if packet[0] >> 4 == 4 else 40


def _is_head(head: bytes) -> bool:
    """Whether these are the headers of a TCP or UDP packet and nothing else."""
    if not inner.version(head):
        return False
    if head[0] >> 4 == 4 and head[6] & _MORE_FRAGMENTS:
        return False
    protocol, start = inner.transport(head)
    if start < 20:
        return False
    if protocol == TCP:
        return len(head) >= start + 20 and len(head) == start + (head[start + 12] >> 4) * 4
    return protocol == UDP and len(head) == start + 8


def _ecn(packet: memoryview | bytes) -> int:
    return packet[1] & 3 if packet[0] >> 4 == 4 else packet[1] >> 4 & 3


def _combine_ecn(packet: memoryview | bytes, outer: int) -> memoryview | bytes | bytearray | None:
    """The packet with the outer ECN in it (RFC 6040 figure 4); None when it has to be dropped."""
    own = _ecn(packet)
    if outer == _CE:
        if own == 0:
            return None
        combined = _CE
    elif outer == 1 and own == 2:
        combined = 1
    else:
        return packet
    changed = bytearray(packet)
    if packet[0] >> 4 == 4:
        before = _U16.unpack_from(changed)[0]
        changed[1] = changed[1] & ~3 | combined
        # RFC 1624 equation 3
        checksum = _U16.unpack_from(changed, 10)[0]
        total = (~checksum & 0xFFFF) + (~before & 0xFFFF) + _U16.unpack_from(changed)[0]
        _U16.pack_into(changed, 10, ~_fold(total) & 0xFFFF)
    else:
        changed[1] = changed[1] & 0xCF | combined << 4
    return changed


def _sum16(data: bytes | bytearray) -> int:
    return sum(struct.unpack(f"!{len(data) // 2}H", data))


def _fold(total: int) -> int:
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def _frame(
    original: memoryview | bytes | bytearray,
    run: list[memoryview],
    first: int,
    gso: int,
    whole_end: bool,
) -> list[bytes | bytearray | memoryview]:
    """One packet or super-packet from slices `first`... of the super-packet of `original`.

    Lengths, IP id, TCP sequence number and flags, and the partial checksum are made
    right for the slices that are there: FIN and PSH belong to the last slice, CWR to
    the first (RFC 3168 section 6.1.2).
    """
    head = bytearray(original)
    protocol, start = inner.transport(head)
    total = len(head) + sum(map(len, run))
    if head[0] >> 4 == 4:
        _U16.pack_into(head, 2, total)
        _U16.pack_into(head, 4, _U16.unpack_from(head, 4)[0] + first & 0xFFFF)
        head[10:12] = b"\0\0"
        _U16.pack_into(head, 10, ~_fold(_sum16(head[:start])) & 0xFFFF)
        pseudo, gso_type = _sum16(head[12:20]), virtio.GSO_TCP4
    else:
        _U16.pack_into(head, 4, total - 40)
        pseudo, gso_type = _sum16(head[8:40]), virtio.GSO_TCP6
    if protocol == TCP:
        if first:
            sequence = _U32.unpack_from(head, start + 4)[0] + first * gso
            _U32.pack_into(head, start + 4, sequence & 0xFFFFFFFF)
            head[start + _TCP_FLAGS] &= ~_CWR
        if not whole_end:
            head[start + _TCP_FLAGS] &= ~_FIN_PSH
        if head[start + _TCP_FLAGS] & _CWR:
            gso_type |= virtio.GSO_ECN
    else:
        _U16.pack_into(head, start + 4, total - start)
        gso_type = virtio.GSO_UDP
    offset = inner.CHECKSUM_OFFSET[protocol]
    _U16.pack_into(head, start + offset, _fold(pseudo + protocol + total - start))
    fields = (gso_type, len(head), gso) if len(run) > 1 else (virtio.GSO_NONE, 0, 0)
    return [virtio.HEADER.pack(virtio.NEEDS_CHECKSUM, *fields, start, offset), head, *run]


class PythonCodec:
    """See `interface.Codec`."""

    name = "python"

    def sealer(self, key: bytes, peer_index: int, key_id: int = 0, lane: int = 0) -> PythonSealer:
        return PythonSealer(key, peer_index, key_id, lane)

    def opener(
        self, key: bytes, index: int, owned: Owned, check: Check, lanes: int = 1
    ) -> PythonOpener:
        return PythonOpener(key, index, owned, check, lanes)

    def path(
        self, socket: UdpSocket, peer: SocketAddress | None, local: bytes | None
    ) -> PythonPath:
        return PythonPath(socket, peer, local)

    def intake(self) -> PythonIntake:
        return PythonIntake()

    def frames(self) -> PythonFrames:
        return PythonFrames()

    def outbox(self) -> PythonOutbox:
        return PythonOutbox()

    def inbox(self, *, udp_offload: bool) -> PythonInbox:
        return PythonInbox(udp_offload=udp_offload)
