"""Inner packets: whose they are, and where their transport header is."""

from __future__ import annotations

import ipaddress

from nrs.config.types import IPNetwork

TCP = 6
UDP = 17
CHECKSUM_OFFSET = {TCP: 16, UDP: 6}
"""Where in a transport header the checksum stands."""

_EXTENSIONS = frozenset({0, 43, 60})
_LEAST = {4: 20, 6: 40}

Packet = bytes | bytearray | memoryview


def version(packet: Packet) -> int:
    """4 or 6 for a packet whose length fits its version, else 0."""
    if len(packet) < 20:
        return 0
    number = packet[0] >> 4
    return number if len(packet) >= _LEAST.get(number, 1 << 16) else 0


def destination(packet: Packet) -> bytes:
    """The destination address as 4 or 16 bytes; empty for what is not an IP packet."""
    number = version(packet)
    if number == 4:
        return bytes(packet[16:20])
    return bytes(packet[24:40]) if number == 6 else b""


def source(packet: Packet) -> bytes:
    """The source address as 4 or 16 bytes; empty for what is not an IP packet."""
    number = version(packet)
    if number == 4:
        return bytes(packet[12:16])
    return bytes(packet[8:24]) if number == 6 else b""


def is_unicast(address: bytes) -> bool:
    """Whether a packet may go through a tunnel to it: no multicast, broadcast or link-local."""
    if len(address) == 4:
        return 0 < address[0] < 224 and address[:2] != b"\xa9\xfe"
    return (
        len(address) == 16
        and address[0] != 0xFF
        and not (address[0] == 0xFE and address[1] & 0xC0 == 0x80)
    )


def transport(packet: Packet) -> tuple[int, int]:
    """Protocol and offset of the transport header; (0, 0) where there is none to see.

    Walks IPv6 extension headers (RFC 8200 section 4); a later fragment has none.
    """
    if packet[0] >> 4 == 4:
        if (packet[6] & 0x1F) or packet[7]:
            return 0, 0
        return packet[9], (packet[0] & 0x0F) * 4
    protocol, offset = packet[6], 40
    while protocol in _EXTENSIONS:
        if offset + 2 > len(packet):
            return 0, 0
        protocol, offset = packet[offset], offset + 8 + packet[offset + 1] * 8
    return protocol, offset


class Owned:
    """The inner addresses of one session: whole addresses and prefixes."""

    __slots__ = ("addresses", "prefixes")

    def __init__(self, addresses: list[bytes], prefixes: tuple[IPNetwork, ...] = ()) -> None:
        self.addresses = frozenset(addresses)
        self.prefixes = prefixes

    def __contains__(self, address: bytes) -> bool:
        if address in self.addresses:
            return True
        if not self.prefixes or not address:
            return False
        parsed = ipaddress.ip_address(address)
        return any(parsed in prefix for prefix in self.prefixes)
