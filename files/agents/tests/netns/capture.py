"""What passes an interface, as a plain reader (an AF_PACKET socket) sees it."""

from __future__ import annotations

import ctypes
import fcntl
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from nrs.tunnel import inner
from tests.netns.world import World

_ETH_P_ALL = 3
_ETHER_BYTES = 14
_ARPHRD_ETHER = 1
_PACKET_VNET_HDR = 15
_SOL_PACKET = 263
_SIOCETHTOOL = 0x8946
_ETHTOOL_STXCSUM = 0x17
_NEEDS_CHECKSUM = 1
_VNET = struct.Struct("=BBHHHH")


@dataclass(frozen=True)
class Seen:
    """An IP packet without its link header."""

    packet: bytes
    outgoing: bool
    partial: bool
    """Whether the reader is told that the checksum is yet to be completed."""

    @property
    def protocol(self) -> int:
        return inner.transport(self.packet)[0]

    @property
    def payload(self) -> bytes:
        """What the transport header begins with, to the end."""
        return self.packet[inner.transport(self.packet)[1] :]

    def checksum_is_right(self) -> bool:
        """Of the transport header: complete, or the pseudo-header's where it is partial."""
        addresses = self.packet[12:20] if self.packet[0] >> 4 == 4 else self.packet[8:40]
        payload = self.payload
        pseudo = sum16(addresses + struct.pack("!HH", self.protocol, len(payload)))
        if self.partial:
            at = inner.CHECKSUM_OFFSET[self.protocol]
            return payload[at : at + 2] == struct.pack("!H", pseudo)
        return sum16(struct.pack("!H", pseudo) + payload) == 0xFFFF


def sum16(data: bytes) -> int:
    """The one's complement sum of 16-bit words (RFC 1071)."""
    data += b"\0" * (len(data) % 2)
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total


class Capture:
    """Reads from now on; use as a context manager."""

    def __init__(self, world: World, host: str, interface: str) -> None:
        self._socket = world.socket(host, socket.AF_PACKET, socket.SOCK_RAW)
        self._socket.setsockopt(_SOL_PACKET, _PACKET_VNET_HDR, 1)
        self._socket.setsockopt(socket.SOL_SOCKET, 33, 1 << 25)  # SO_RCVBUFFORCE
        self._socket.bind((interface, _ETH_P_ALL))
        self._socket.setblocking(False)

    def __enter__(self) -> Capture:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def packets(self) -> Iterator[Seen]:
        """What has been seen since the last call; IP only, without padding."""
        while True:
            try:
                data, address = self._socket.recvfrom(70_000)
            except BlockingIOError:
                return
            flags = _VNET.unpack_from(data)[0]
            link_header = _ETHER_BYTES if address[3] == _ARPHRD_ETHER else 0
            packet = data[_VNET.size + link_header :]
            if address[1] not in {0x0800, 0x86DD} or not inner.version(packet):
                continue
            length = struct.unpack_from("!H", packet, 2 if packet[0] >> 4 == 4 else 4)[0]
            packet = packet[: length if packet[0] >> 4 == 4 else length + 40]
            outgoing = address[2] == socket.PACKET_OUTGOING
            yield Seen(packet, outgoing, bool(flags & _NEEDS_CHECKSUM))


def complete_checksums(world: World, host: str, interface: str) -> None:
    """Let the interface send as a network card without checksum offload does."""
    with world.socket(host, socket.AF_INET, socket.SOCK_DGRAM) as control:
        value = ctypes.create_string_buffer(struct.pack("=II", _ETHTOOL_STXCSUM, 0), 8)
        request = struct.pack("=16sQ16x", interface.encode(), ctypes.addressof(value))
        fcntl.ioctl(control, _SIOCETHTOOL, request)
