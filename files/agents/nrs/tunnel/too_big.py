"""The ICMP error that tells a sender inside that its packet is too long for the path. Pure.

It comes from where the packet was to go: that is where routes and filters expect answers from, and
an address of this host would be refused as a source.
"""

from __future__ import annotations

import struct

from nrs.system.checksum import internet_checksum
from nrs.tunnel.inner import LEAST_MTU

_HOPS = 64
_ICMP, _ICMPV6 = 1, 58
_FRAGMENTATION_NEEDED = 3, 4
_PACKET_TOO_BIG = 2, 0
_MOST4, _MOST6 = 576, 1280
"""Of the whole error: RFC 1812 section 4.3.2.3, RFC 4443 section 2.4(c)."""
_HEADER4 = struct.Struct("!BBHHHBBH4s4s")
_HEADER6 = struct.Struct("!IHBB16s16s")
_ERROR = struct.Struct("!BBHI")
_OFFSET = 0x1FFF


def too_big(packet: bytes, mtu: int) -> bytes | None:
    """The answer to an IP packet that is longer than `mtu` bytes (RFC 1191, RFC 4443 section 3.2).

    None for a later fragment, about which nothing is said (RFC 1122 section 3.2.2). The MTU that it
    states is never less than what every IPv6 link carries, or every IPv4 host takes.
    """
    six = packet[0] >> 4 == 6
    mtu = max(mtu, LEAST_MTU[6 if six else 4])
    if six:
        source, destination = packet[8:24], packet[24:40]
        quoted = packet[: _MOST6 - _HEADER6.size - _ERROR.size]
        length = _ERROR.size + len(quoted)
        pseudo = destination + source + struct.pack("!II", length, _ICMPV6)
        error = _message(*_PACKET_TOO_BIG, mtu, quoted, pseudo)
        return _HEADER6.pack(6 << 28, length, _ICMPV6, _HOPS, destination, source) + error
    if struct.unpack_from("!H", packet, 6)[0] & _OFFSET:
        return None
    source, destination = packet[12:16], packet[16:20]
    error = _message(*_FRAGMENTATION_NEEDED, mtu, packet[: _MOST4 - _HEADER4.size - _ERROR.size])

    def header(checksum: int) -> bytes:
        length = _HEADER4.size + len(error)
        return _HEADER4.pack(0x45, 0, length, 0, 0, _HOPS, _ICMP, checksum, destination, source)

    return header(internet_checksum(header(0))) + error


def _message(kind: int, code: int, mtu: int, quoted: bytes, pseudo: bytes = b"") -> bytes:
    summed = pseudo + _ERROR.pack(kind, code, 0, mtu) + quoted
    checksum = internet_checksum(summed + bytes(len(summed) % 2))
    return _ERROR.pack(kind, code, checksum, mtu) + quoted
