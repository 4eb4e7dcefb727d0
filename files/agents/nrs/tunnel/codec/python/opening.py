"""Opening datagrams into frames."""

from __future__ import annotations

import hmac
from dataclasses import dataclass
from enum import IntEnum

from nrs.tunnel import inner, virtio, wire
from nrs.tunnel.codec.carrier import Stop
from nrs.tunnel.codec.python.aead import Aead
from nrs.tunnel.codec.python.headers import (
    combine_ecn,
    ip_header_bytes,
    is_head,
    partial_fields,
    rebuild,
)
from nrs.tunnel.codec.python.joining import Joined, plain_udp
from nrs.tunnel.codec.python.layout import (
    BATCH,
    BATCH_PARTIAL,
    FRAGMENT,
    LAST,
    PARTIAL,
    SEGMENT,
)
from nrs.tunnel.codec.python.pieces import BadPiece, Joiner
from nrs.tunnel.codec.sealing import Check
from nrs.tunnel.inner import UDP, Owned
from nrs.tunnel.keys import TagKey
from nrs.tunnel.replay import WINDOW_BYTES, ReplayWindow
from nrs.tunnel.wire import HEADER_BYTES, LEAST_BYTES, TAG_BYTES, Cipher, Type

_OF_NO_SESSION = frozenset(map(wire.first_byte, (Type.HELLO, Type.HELLO_ACK, Type.RETRY)))
_FIRST_CONTROL = wire.first_byte(Type.PROBE)
_KNOWN = frozenset(
    wire.first_byte(kind)
    for kind in Type
    if kind not in {Type.HELLO, Type.HELLO_ACK, Type.RETRY, Type.NO_SESSION}
)
_NEXT_SLICE = 1 << 24
"""Between the four bytes of one SEGMENT's header and the next one's."""


class Reason(IntEnum):
    """Why a datagram is dropped; `Opened.drops` counts them in this order."""

    TAG = 1
    REPLAY = 2
    SOURCE = 3
    MALFORMED = 4


@dataclass
class Opened:
    """How far a train was opened and what it brought."""

    stop: Stop
    at: int
    size: int
    datagrams: int
    authentic: int
    newest: bool
    """Whether a datagram was the newest of its lane so far."""
    data: int
    packets: int
    bytes: int
    drops: tuple[int, int, int, int]
    """tag, replay, source, malformed"""


class PythonOpener:
    """See `codec.sealing.Opener`."""

    __slots__ = ("aead", "check", "index", "inner", "outer", "overhead", "owned", "windows")

    def __init__(
        self,
        key: bytes,
        index: int,
        owned: Owned,
        check: Check,
        lanes: int = 1,
        memory: memoryview | None = None,
        cipher: Cipher = Cipher.NONE,
    ) -> None:
        self.aead = Aead.of(cipher, key)
        self.overhead = cipher.overhead
        tag_key = TagKey(key)
        self.inner = tag_key.inner
        self.outer = tag_key.outer
        self.index = index
        self.owned = owned
        self.check = check
        room = memory or memoryview(bytearray(lanes * WINDOW_BYTES))
        self.windows = [
            ReplayWindow(room[start : start + WINDOW_BYTES])
            for start in range(0, lanes * WINDOW_BYTES, WINDOW_BYTES)
        ]

    def highest(self, lane: int) -> int:
        return self.windows[lane].highest

    def received(self, lane: int) -> int:
        return self.windows[lane].received

    def verify(self, datagram: memoryview) -> Reason | None:
        """None for a datagram that is authentic and new: it is recorded, and its body is clear."""
        if self.aead is not None:
            right = self.aead.open(datagram)
        else:
            cut = len(datagram) - TAG_BYTES
            digest = self.inner()
            digest.update(datagram[:cut])
            outer = self.outer()
            outer.update(digest.digest())
            right = hmac.compare_digest(outer.digest(), datagram[cut:])
        if not right:
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


class Assembly:
    """Frames, ready to be written, out of datagrams.

    Slices of one super-packet that follow each other are put together; nothing is
    merged across a gap, because a slice's index has to be the next one and its inner
    headers the same bytes.
    """

    def __init__(self, *, udp_offload: bool) -> None:
        self._udp_offload = udp_offload
        self.joiner = Joiner()
        self.frames: list[list[bytes | bytearray | memoryview]] = []
        self._run: list[memoryview] = []
        self._original = b""
        self._first = self._next = self._gso = self._ecn = 0
        self._ended = False
        self._packets = self._bytes = 0

    def open(
        self, opener: PythonOpener, train: memoryview, each: int, start: int, ecn: int
    ) -> Opened:
        """Open the datagrams of a train from byte `start` on; frames are appended."""
        length = len(train)
        unpack = wire.HEADER.unpack_from
        verify = opener.verify
        index, overhead = opener.index, opener.overhead
        drops = [0, 0, 0, 0, 0]
        datagrams = authentic = data = 0
        newest = False
        stop, at, size = Stop.DONE, start, 0
        self._packets = self._bytes = 0
        self._ecn = ecn
        while at < length:
            datagram = train[at : at + each]
            size = len(datagram)
            if size < LEAST_BYTES:
                datagrams += 1
                drops[Reason.MALFORMED] += 1
                at += each
                continue
            first, flags, _, lane, receiver, sequence, specific = unpack(datagram)
            if receiver != index or first in _OF_NO_SESSION:
                stop = Stop.FOREIGN
                break
            datagrams += 1
            if first not in _KNOWN or size < overhead:
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
            body = datagram[HEADER_BYTES : HEADER_BYTES + size - overhead]
            if first == SEGMENT:
                reason = self._segment(opener, body, flags, specific)
                if reason is None and not self._ended and lane == 0 and opener.aead is None:
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
                if first == BATCH:
                    reason = self._batch(opener, body)
                elif first == FRAGMENT:
                    reason = self._piece(
                        opener, body, (lane, sequence, specific), partial=bool(flags & PARTIAL)
                    )
                else:
                    fields = (specific >> 16, specific & 0xFFFF) if flags & PARTIAL else None
                    reason = self._packet(opener, body, fields, ecn)
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
        is what `open`, `verify` and `_segment` do of clear text, without the calls.
        """
        window, make_inner, make_outer = opener.windows[0], opener.inner, opener.outer
        unpack, equal, append = wire.HEADER.unpack_from, hmac.compare_digest, self._run.append
        head, gso, index = self._original, self._gso, opener.index
        highest = before = window.highest
        length, body = len(train), HEADER_BYTES + len(head)
        payload = bad = 0
        while at < length and not self._ended:
            end = min(at + each, length)
            cut = end - TAG_BYTES
            size = cut - at - body
            if size <= 0:
                break
            first, flags, _, lane, receiver, sequence, number = unpack(train, at)
            if (
                first != SEGMENT
                or number != specific + _NEXT_SLICE
                or sequence != highest + 1
                or receiver != index
                or lane
                or (size != gso and (size > gso or not flags & LAST))
                or train[at + HEADER_BYTES : at + body] != head
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
                self._ended = bool(flags & LAST)
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
        joined = Joined()
        offset, end = 0, len(body)
        while offset < end:
            entry = body[offset] << 8 | body[offset + 1] if offset + 2 <= end else 0
            offset += 2
            size = entry & ~BATCH_PARTIAL
            if not size or offset + size > end:
                first = first or Reason.MALFORMED
                break
            packet = body[offset : offset + size]
            offset += size
            partial = entry & BATCH_PARTIAL
            head = plain_udp(packet) if partial and self._udp_offload else 0
            if head and joined.continues(packet, head):
                joined.payloads.append(packet[head:])
                self._packets += 1
                self._bytes += size
                continue
            joined.end(self.frames)
            place = partial_fields(packet) if partial else None
            reason = self._packet(opener, packet, place, self._ecn)
            first = first or reason
            if head and reason is None:
                joined.begin(packet, head)
        joined.end(self.frames)
        return first

    def _piece(
        self,
        opener: PythonOpener,
        body: memoryview,
        header: tuple[int, int, int],
        *,
        partial: bool,
    ) -> Reason | None:
        try:
            joined = self.joiner.add(opener.index, *header, body, partial=partial, ecn=self._ecn)
        except BadPiece:
            return Reason.MALFORMED
        if joined is None:
            return None
        place = joined.place if partial else None
        return self._packet(opener, memoryview(joined.packet), place, joined.ecn)

    def _packet(
        self,
        opener: PythonOpener,
        packet: memoryview,
        partial: tuple[int, int] | None,
        ecn: int,
    ) -> Reason | None:
        if not inner.version(packet):
            return Reason.MALFORMED
        header = virtio.PLAIN
        if partial is not None:
            start, offset = partial
            if start < ip_header_bytes(packet) or start + offset + 2 > len(packet):
                return Reason.MALFORMED
            header = virtio.HEADER.pack(virtio.NEEDS_CHECKSUM, 0, 0, 0, start, offset)
        if not opener.allowed(packet):
            return Reason.SOURCE
        delivered = combine_ecn(packet, ecn)
        if delivered is None:
            return Reason.MALFORMED
        self.frames.append([header, delivered])
        self._packets += 1
        self._bytes += len(packet)
        return None

    def _segment(
        self, opener: PythonOpener, body: memoryview, flags: int, specific: int
    ) -> Reason | None:
        index, head_bytes, gso = specific >> 24, specific >> 16 & 0xFF, specific & 0xFFFF
        length = len(body) - head_bytes
        last = flags & LAST
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
            if not is_head(head):
                return Reason.MALFORMED
            if not opener.allowed(head):
                return Reason.SOURCE
            if combine_ecn(head, self._ecn) is None:
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
        head = combine_ecn(self._original, self._ecn)
        assert head is not None
        if len(run) > 1 and not self._udp_offload and inner.transport(head)[0] == UDP:
            for index, payload in enumerate(run, self._first):
                self.frames.append(rebuild(head, [payload], index, self._gso, False))
        else:
            self.frames.append(rebuild(head, run, self._first, self._gso, self._ended))
