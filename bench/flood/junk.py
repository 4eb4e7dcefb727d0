"""What strangers send: one datagram of each kind, and which parts of it differ each time. Pure."""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, IPv6Network

from nrs.tunnel import wire
from nrs.tunnel.wire import Claim, Hello, KeyMode, Type

DATA_BYTES = 128
"""Of a datagram that says it is DATA: the smaller, the more of them a line carries."""
_ETHERNET_BYTES, _IP_BYTES, _UDP_BYTES = 14, 40, 8
_SOURCE_AT = _ETHERNET_BYTES + 8
_ADDRESS_BYTES = 16
_PORT_AT = _ETHERNET_BYTES + _IP_BYTES
_PAYLOAD_AT = _PORT_AT + _UDP_BYTES
_HOP_LIMIT = 64
_IPV6, _UDP = 0x86DD, 17
_INDEX = slice(4, 8)
_SEQUENCE = slice(11, 16)
"""The lower five bytes: nearly always far ahead of what has arrived."""


@dataclass(frozen=True)
class Part:
    """Bytes of a datagram or frame that are random in each."""

    at: int
    size: int

    def behind(self, head: int) -> Part:
        """The same behind so many bytes."""
        return Part(self.at + head, self.size)

    def __str__(self) -> str:
        return f"{self.at}:{self.size}"


@dataclass(frozen=True)
class Junk:
    """A datagram to send again and again."""

    datagram: bytes
    random: tuple[Part, ...]


@dataclass(frozen=True)
class Source:
    """Whom it says it comes from: somebody in a network, at one port or (0) at any.

    A network's prefix ends at a byte.
    """

    network: IPv6Network
    port: int = 0


@dataclass(frozen=True)
class Frame:
    """Ready for `junk.c`, which fills in the checksum."""

    data: bytes
    random: tuple[Part, ...]


def random_index() -> Junk:
    """DATA of a session that nobody has."""
    return _data(0, bytes(wire.HEADER_BYTES), _part(_INDEX))


def wrong_tag(seen: bytes) -> Junk:
    """DATA of the session that the datagram `seen` on the line belongs to, with a wrong tag."""
    (index,) = struct.unpack_from("!I", seen, _INDEX.start)
    return _data(index, seen)


def _data(index: int, seen: bytes, *more: Part) -> Junk:
    key_id, lane = seen[2], seen[3]
    header = wire.HEADER.pack(wire.first_byte(Type.DATA), 0, key_id, lane, index, 0, 0)
    filling = bytes(number & 0xFF for number in range(DATA_BYTES - len(header)))
    return Junk(header + filling, (*more, _part(_SEQUENCE)))


def hello() -> Junk:
    """A HELLO of a device that a router has never heard of, another one each time.

    It is right in every way but the tag. The inner address differs, so no two of some 65,000 have
    the same key.
    """
    address, nonce = IPv4Address("10.10.90.0"), bytes(range(wire.NONCE_BYTES))
    claim = Claim("endpoint_of_nobody", address, IPv6Address("fd00:10:100::ffff"))
    offer = Hello(
        sender_index=1, nonce=nonce, public=b"\x09" * 32, claim=claim, key_mode=KeyMode.DEVICE
    )
    header = wire.HEADER.pack(wire.first_byte(Type.HELLO), 0, 0, 0, 0, 0, 0)
    signed = header + offer.encode()
    return Junk(
        signed + bytes(wire.TAG_BYTES),
        (
            Part(signed.index(nonce), len(nonce)),
            Part(signed.index(address.packed) + 2, 2),
            Part(len(signed), wire.TAG_BYTES),
        ),
    )


def frame(
    junk: Junk, source: Source, target: IPv6Address, port: int, macs: tuple[bytes, bytes]
) -> Frame:
    """`macs` are the receiver's and the sender's. Raises ValueError for a prefix within a byte."""
    network = source.network
    if network.prefixlen % 8:
        raise ValueError(f"{network}: its prefix does not end at a byte")
    size = _UDP_BYTES + len(junk.datagram)
    data = b"".join(
        (
            *macs,
            struct.pack("!H", _IPV6),
            struct.pack("!IHBB", 6 << 28, size, _UDP, _HOP_LIMIT),
            network.network_address.packed,
            target.packed,
            struct.pack("!HHHH", source.port, port, size, 0),
            junk.datagram,
        )
    )
    fixed = network.prefixlen // 8
    random = [part.behind(_PAYLOAD_AT) for part in junk.random]
    if fixed < _ADDRESS_BYTES:
        random.append(Part(_SOURCE_AT + fixed, _ADDRESS_BYTES - fixed))
    if not source.port:
        random.append(Part(_PORT_AT, 2))
    return Frame(data, tuple(random))


def _part(of: slice) -> Part:
    return Part(of.start, of.stop - of.start)
