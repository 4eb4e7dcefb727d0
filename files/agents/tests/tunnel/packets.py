"""Inner packets built field by field, and what a kernel does with a frame.

Nothing here uses the code under test: packets are made from their fields one at a
time, and checksums are computed as remainders of one large number (RFC 1071 says
that a one's complement sum is a sum modulo 65,535), not word by word.
"""

from __future__ import annotations

import ipaddress
import random
import struct
from dataclasses import dataclass, field

VNET = struct.Struct("=BBHHHH")
NEEDS_CHECKSUM = 1
GSO_NONE, GSO_TCP4, GSO_TCP6, GSO_UDP, GSO_ECN = 0, 1, 4, 5, 0x80
TCP, UDP = 6, 17
FIN, PSH, ACK, CWR = 0x01, 0x08, 0x10, 0x80
_FIELD = {TCP: 16, UDP: 6}


def internet_checksum(data: bytes) -> int:
    """RFC 1071, of bytes that are not all zero."""
    rest = int.from_bytes(data + b"\0" * (len(data) % 2), "big") % 0xFFFF
    return 0xFFFF - rest if rest else 0


def pseudo_header(source: bytes, destination: bytes, protocol: int, length: int) -> bytes:
    """RFC 9293 section 3.1 and RFC 8200 section 8.1."""
    if len(source) == 4:
        return source + destination + struct.pack("!BBH", 0, protocol, length)
    return source + destination + struct.pack("!II", length, protocol)


@dataclass(frozen=True)
class SuperPacket:
    """A TCP or UDP packet whose payload is sent as slices of `gso_size` bytes."""

    protocol: int
    payload: bytes
    gso_size: int
    source: str = "10.10.100.1"
    destination: str = "198.51.100.10"
    sport: int = 40000
    dport: int = 443
    identity: int = 0x1234
    ip_extra: bytes = b""
    """IPv4 options, or one whole IPv6 extension header whose first byte is replaced."""
    sequence: int = 1000
    flags: int = ACK
    tcp_options: bytes = b""
    urgent_window: tuple[int, int] = field(default=(0, 502))

    @property
    def version(self) -> int:
        return ipaddress.ip_address(self.source).version

    @property
    def slices(self) -> int:
        return -(-len(self.payload) // self.gso_size)

    @property
    def start(self) -> int:
        """Where the transport header begins."""
        return (20 if self.version == 4 else 40) + len(self.ip_extra)

    @property
    def head_bytes(self) -> int:
        return self.start + (20 + len(self.tcp_options) if self.protocol == TCP else 8)

    def _build(self, index: int, payload: bytes, flags: int, *, partial: bool) -> bytes:
        source = ipaddress.ip_address(self.source).packed
        destination = ipaddress.ip_address(self.destination).packed
        transport = struct.pack("!HH", self.sport, self.dport)
        if self.protocol == TCP:
            urgent, window = self.urgent_window
            transport += struct.pack(
                "!IIBBHHH",
                (self.sequence + index * self.gso_size) % 2**32,
                0xA0A0A0A0,
                (20 + len(self.tcp_options)) // 4 << 4,
                flags,
                window,
                0,
                urgent,
            )
            transport += self.tcp_options
        else:
            transport += struct.pack("!HH", 8 + len(payload), 0)
        segment = transport + payload
        pseudo = pseudo_header(source, destination, self.protocol, len(segment))
        if partial:
            check = 0xFFFF - internet_checksum(pseudo)
        else:
            check = internet_checksum(pseudo + segment)
            if self.protocol == UDP and check == 0:
                check = 0xFFFF
        at = _FIELD[self.protocol]
        segment = segment[:at] + struct.pack("!H", check) + segment[at + 2 :]
        if self.version == 4:
            words = 5 + len(self.ip_extra) // 4
            ip = struct.pack(
                "!BBHHHBBH",
                0x40 | words,
                0,
                words * 4 + len(segment),
                (self.identity + index) % 2**16,
                0x4000,
                64,
                self.protocol,
                0,
            )
            ip += source + destination + self.ip_extra
            ip = ip[:10] + struct.pack("!H", internet_checksum(ip)) + ip[12:]
        else:
            first = 0 if self.ip_extra else self.protocol
            extra = bytes((self.protocol,)) + self.ip_extra[1:] if self.ip_extra else b""
            ip = struct.pack("!IHBB", 0x60012345, len(extra) + len(segment), first, 64)
            ip += source + destination + extra
        return ip + segment

    def packet(self) -> bytes:
        """The whole packet with a partial checksum, as the kernel hands it over."""
        return self._build(0, self.payload, self.flags, partial=True)

    def frame(self) -> bytes:
        """What is read from the TUN device."""
        kind = GSO_UDP if self.protocol == UDP else (GSO_TCP4 if self.version == 4 else GSO_TCP6)
        if self.protocol == TCP and self.flags & CWR:
            kind |= GSO_ECN
        return (
            VNET.pack(
                NEEDS_CHECKSUM,
                kind,
                self.head_bytes,
                self.gso_size,
                self.start,
                _FIELD[self.protocol],
            )
            + self.packet()
        )

    def expected(self) -> list[bytes]:
        """The packets that a kernel without offloads would have sent."""
        packets = []
        for index in range(self.slices):
            flags = self.flags
            if index < self.slices - 1:
                flags &= ~(FIN | PSH)
            if index:
                flags &= ~CWR
            payload = self.payload[index * self.gso_size : (index + 1) * self.gso_size]
            packets.append(self._build(index, payload, flags, partial=False))
        return packets


def noise(length: int, seed: int = 0) -> bytes:
    """Bytes that look random and are the same every time."""
    return random.Random(seed).randbytes(length)  # noqa: S311


def udp_packet(
    payload: bytes,
    *,
    partial: bool = False,
    source: str = "10.10.100.1",
    destination: str = "198.51.100.10",
) -> bytes:
    """One UDP packet."""
    whole = SuperPacket(
        UDP, payload, max(1, len(payload)), source, destination, sport=5353, dport=53
    )
    return whole._build(0, payload, 0, partial=partial)


def sent_by_kernel(frame: bytes) -> list[bytes]:
    """The packets that a kernel makes of a frame: segmented, checksums complete.

    Asserts what the virtio-net header promises: the right type and header length,
    and a checksum field that holds the sum of the pseudo-header.
    """
    flags, gso, header_bytes, gso_size, start, offset = VNET.unpack_from(frame)
    packet = frame[VNET.size :]
    if not flags & NEEDS_CHECKSUM:
        assert (gso, gso_size) == (GSO_NONE, 0)
        return [packet]
    protocol, at = transport_of(packet)
    assert at == start
    assert offset == _FIELD[protocol]
    assert_partial(packet, start, offset, protocol)
    if gso == GSO_NONE:
        assert gso_size == 0
        return [_completed(packet, start, offset, protocol)]
    six = packet[0] >> 4 == 6
    assert gso & ~GSO_ECN == (GSO_UDP if protocol == UDP else GSO_TCP6 if six else GSO_TCP4)
    assert bool(gso & GSO_ECN) == bool(protocol == TCP and packet[start + 13] & CWR)
    head_bytes = start + (8 if protocol == UDP else (packet[start + 12] >> 4) * 4)
    assert header_bytes == head_bytes
    head, payload = packet[:head_bytes], packet[head_bytes:]
    assert len(payload) > gso_size > 0
    pieces = [payload[n : n + gso_size] for n in range(0, len(payload), gso_size)]
    return [
        _segment(head, piece, number, number == len(pieces) - 1, gso_size, start, protocol)
        for number, piece in enumerate(pieces)
    ]


def _segment(
    head: bytes, piece: bytes, number: int, last: bool, gso_size: int, start: int, protocol: int
) -> bytes:
    out = bytearray(head + piece)
    if out[0] >> 4 == 4:
        out[2:4] = len(out).to_bytes(2, "big")
        identity = (int.from_bytes(head[4:6], "big") + number) % 2**16
        out[4:6] = identity.to_bytes(2, "big")
        out[10:12] = b"\0\0"
        out[10:12] = internet_checksum(bytes(out[:start])).to_bytes(2, "big")
    else:
        out[4:6] = (len(out) - 40).to_bytes(2, "big")
    if protocol == TCP:
        sequence = (int.from_bytes(head[start + 4 : start + 8], "big") + number * gso_size) % 2**32
        out[start + 4 : start + 8] = sequence.to_bytes(4, "big")
        if not last:
            out[start + 13] &= ~(FIN | PSH)
        if number:
            out[start + 13] &= ~CWR
    else:
        out[start + 4 : start + 6] = (len(out) - start).to_bytes(2, "big")
    offset = _FIELD[protocol]
    pseudo = _pseudo_of(bytes(out), protocol, len(out) - start)
    out[start + offset : start + offset + 2] = (0xFFFF - internet_checksum(pseudo)).to_bytes(
        2, "big"
    )
    return _completed(bytes(out), start, offset, protocol)


def _completed(packet: bytes, start: int, offset: int, protocol: int) -> bytes:
    check = internet_checksum(packet[start:])
    if protocol == UDP and check == 0:
        check = 0xFFFF
    return packet[: start + offset] + check.to_bytes(2, "big") + packet[start + offset + 2 :]


def _pseudo_of(packet: bytes, protocol: int, length: int) -> bytes:
    if packet[0] >> 4 == 4:
        return pseudo_header(packet[12:16], packet[16:20], protocol, length)
    return pseudo_header(packet[8:24], packet[24:40], protocol, length)


def assert_partial(packet: bytes, start: int, offset: int, protocol: int) -> None:
    """The checksum field holds the sum of the pseudo-header, of the packet's own length."""
    pseudo = _pseudo_of(packet, protocol, len(packet) - start)
    held = int.from_bytes(packet[start + offset : start + offset + 2], "big")
    assert held == 0xFFFF - internet_checksum(pseudo)


def transport_of(packet: bytes) -> tuple[int, int]:
    """Protocol and offset of the transport header, at most one extension header before it."""
    if packet[0] >> 4 == 4:
        return packet[9], (packet[0] & 15) * 4
    if packet[6] in {TCP, UDP}:
        return packet[6], 40
    return packet[40], 40 + 8 * (1 + packet[41])


def assert_valid(packet: bytes) -> None:
    """Lengths and checksums of a packet are right."""
    protocol, start = transport_of(packet)
    if packet[0] >> 4 == 4:
        assert int.from_bytes(packet[2:4], "big") == len(packet)
        assert internet_checksum(packet[:start]) == 0
    else:
        assert int.from_bytes(packet[4:6], "big") == len(packet) - 40
    if protocol == UDP:
        assert int.from_bytes(packet[start + 4 : start + 6], "big") == len(packet) - start
    pseudo = _pseudo_of(packet, protocol, len(packet) - start)
    assert internet_checksum(pseudo + packet[start:]) == 0
