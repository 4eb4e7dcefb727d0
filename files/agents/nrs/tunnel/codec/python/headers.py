"""Inner headers: what they say, and making them right for the slices that are there."""

from __future__ import annotations

import struct

from nrs.tunnel import inner, virtio
from nrs.tunnel.inner import TCP, UDP

_U16 = struct.Struct("!H")
_U32 = struct.Struct("!I")
TCP_FLAGS = 13
SYN = 0x02
_MORE_FRAGMENTS = 0x20
_FIN_PSH = 0x09
_CWR = 0x80
_CE = 3
_END, _NOTHING, _MSS = 0, 1, 2
"""Kinds of TCP options (RFC 9293 section 3.2)."""


def partial_fields(packet: memoryview) -> tuple[int, int] | None:
    """Where the transport header and the checksum in it are; None where there is no checksum."""
    if not inner.version(packet):
        return None
    protocol, start = inner.transport(packet)
    offset = inner.CHECKSUM_OFFSET.get(protocol)
    return None if offset is None else (start, offset)


def ip_header_bytes(packet: memoryview) -> int:
    """Where a checksum may begin at the earliest: behind the addresses that were looked at."""
    return max(20, (packet[0] & 0x0F) * 4) if packet[0] >> 4 == 4 else 40


def is_head(head: bytes) -> bool:
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


def ecn_of(packet: inner.Packet) -> int:
    """The ECN field of an inner packet."""
    return packet[1] & 3 if packet[0] >> 4 == 4 else packet[1] >> 4 & 3


def combine_ecn(packet: memoryview | bytes, outer: int) -> memoryview | bytes | bytearray | None:
    """The packet with the outer ECN in it (RFC 6040 figure 4); None when it has to be dropped."""
    own = ecn_of(packet)
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


def clamp_mss(packet: inner.Packet, body: int, *, partial: bool) -> inner.Packet:
    """The packet, or a SYN whose maximum segment size is lowered to what a body holds."""
    protocol, start = inner.transport(packet)
    if protocol != TCP or start + 20 > len(packet) or not packet[start + TCP_FLAGS] & SYN:
        return packet
    headers, head = start + 20, start + (packet[start + 12] >> 4) * 4
    if head > len(packet) or headers >= body:
        return packet
    at = headers
    while at + 1 < head and packet[at] != _END:
        size = 1 if packet[at] == _NOTHING else packet[at + 1]
        if not size or at + size > head:
            return packet
        if packet[at] == _MSS and size == 4:
            break
        at += size
    else:
        return packet
    before, after = _U16.unpack_from(packet, at + 2)[0], body - headers
    if before <= after:
        return packet
    changed = bytearray(packet)
    _U16.pack_into(changed, at + 2, after)
    if not partial:
        if (at - start) & 1:  # it lies across two words of the sum
            before, after = _swapped(before), _swapped(after)
        # RFC 1624 equation 3
        checksum = _U16.unpack_from(changed, start + 16)[0]
        total = (~checksum & 0xFFFF) + (~before & 0xFFFF) + after
        _U16.pack_into(changed, start + 16, ~_fold(total) & 0xFFFF)
    return changed


def _swapped(word: int) -> int:
    return (word >> 8 | word << 8) & 0xFFFF


def _sum16(data: bytes | bytearray) -> int:
    return sum(struct.unpack(f"!{len(data) // 2}H", data))


def _fold(total: int) -> int:
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


def rebuild(
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
            head[start + TCP_FLAGS] &= ~_CWR
        if not whole_end:
            head[start + TCP_FLAGS] &= ~_FIN_PSH
        if head[start + TCP_FLAGS] & _CWR:
            gso_type |= virtio.GSO_ECN
    else:
        _U16.pack_into(head, start + 4, total - start)
        gso_type = virtio.GSO_UDP
    offset = inner.CHECKSUM_OFFSET[protocol]
    _U16.pack_into(head, start + offset, _fold(pseudo + protocol + total - start))
    fields = (gso_type, len(head), gso) if len(run) > 1 else (virtio.GSO_NONE, 0, 0)
    return [virtio.HEADER.pack(virtio.NEEDS_CHECKSUM, *fields, start, offset), head, *run]
