"""Inner packets: whose they are, and where their transport header is."""

from __future__ import annotations

import ipaddress

from nrs.config.types import IPNetwork

TCP = 6
UDP = 17
CHECKSUM_OFFSET = {TCP: 16, UDP: 6}
"""Where in a transport header the checksum stands."""

EXTENSIONS = frozenset({0, 43, 60})
"""IPv6 extension headers that may stand before a transport header."""
LEAST_MTU = {4: 576, 6: 1280}
"""By IP version: what every host takes (RFC 791) and every link carries (RFC 8200 section 5)."""
_LEAST = {4: 20, 6: 40}
_ICMP = 1
_NEVER_REFUSED6 = frozenset({44, 58})
"""Fragments and ICMPv6."""
_DONT_FRAGMENT = 0x40
_ECHO = frozenset({(4, 1, 8), (4, 1, 0), (6, 58, 128), (6, 58, 129)})
"""IP version, protocol and type of ICMP echo requests and replies."""

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
    while protocol in EXTENSIONS:
        if offset + 2 > len(packet):
            return 0, 0
        protocol, offset = packet[offset], offset + 8 + packet[offset + 1] * 8
    return protocol, offset


def is_tcp(packet: Packet, start: int) -> bool:
    """Whether the packet at `start` is TCP right behind its IP header."""
    return packet[start + (9 if packet[start] >> 4 == 4 else 6)] == TCP


def may_refuse(packet: Packet) -> bool:
    """Whether the sender of an IP packet that is too long is told so instead.

    It is its part to send less at once, but for what is never too long. No ICMP error is sent
    about an ICMP error (RFC 1122 section 3.2.2), and nobody cuts an echo. Who has cut a packet
    over IPv6 already hardly ever hears of its fragments, as they say too little of their flow.
    """
    if packet[0] >> 4 == 4:
        return (
            bool(packet[6] & _DONT_FRAGMENT) and packet[9] != _ICMP and len(packet) > LEAST_MTU[4]
        )
    return len(packet) > LEAST_MTU[6] and transport(packet)[0] not in _NEVER_REFUSED6


def flow_key(packet: Packet) -> bytes:
    """What tells a packet's flow from others: protocol | source | destination | ports.

    The ports are those of TCP and UDP (4 bytes), or the identifier of an ICMP echo (2).
    Empty where no tunnel takes the packet: no unicast IP.
    """
    number = version(packet)
    if not number or not is_unicast(destination(packet)):
        return b""
    addresses = bytes(packet[12:20] if number == 4 else packet[8:40])
    protocol, start = transport(packet)
    ports = b""
    if protocol and start + 8 <= len(packet):
        if protocol in CHECKSUM_OFFSET:
            ports = bytes(packet[start : start + 4])
        elif (number, protocol, packet[start]) in _ECHO:
            ports = bytes(packet[start + 4 : start + 6])
    return bytes((protocol,)) + addresses + ports


def flow_destination(key: bytes) -> bytes:
    """The destination in a flow's key, 4 or 16 bytes."""
    return key[5:9] if len(key) <= 13 else key[17:33]


def tcp_flags(packet: Packet) -> int:
    """The flags of a TCP packet, 0 where they are not to be seen."""
    protocol, start = transport(packet)
    return packet[start + 13] if protocol == TCP and start + 14 <= len(packet) else 0


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
