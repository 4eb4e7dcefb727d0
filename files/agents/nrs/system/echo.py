"""ICMP echo to one address through one interface, without waiting (RFC 792, RFC 4443)."""

from __future__ import annotations

import ipaddress
import secrets
import socket
import struct

from nrs.system.checksum import internet_checksum

_ECHO = struct.Struct("!BBHHH")
_REQUEST4, _REPLY4 = 8, 0
_REQUEST6, _REPLY6 = 128, 129
_SOL_RAW, _ICMP_FILTER = 255, 1
_ICMP6_FILTER = 1
_TOKEN_BYTES = 8
_SEQUENCE = 0xFFFF
_PRIORITY = 6
_MOST_RECEIVES = 64


class EchoSocket:
    """A raw socket: unlike the kernel's ping sockets it does not depend on a sysctl."""

    def __init__(self, address: ipaddress.IPv4Address | ipaddress.IPv6Address, device: str) -> None:
        """Needs CAP_NET_RAW. Raises OSError, also where there is no such interface."""
        self._v6 = address.version == 6
        family = socket.AF_INET6 if self._v6 else socket.AF_INET
        protocol = socket.IPPROTO_ICMPV6 if self._v6 else socket.IPPROTO_ICMP
        self._address = ipaddress.ip_address(str(address).partition("%")[0])
        self._peer = socket.getaddrinfo(
            str(address), None, family, socket.SOCK_DGRAM, flags=socket.AI_NUMERICHOST
        )[0][4]
        self._id = secrets.randbits(16)
        self._token = secrets.token_bytes(_TOKEN_BYTES)
        self._number = 0
        self._socket = socket.socket(
            family, socket.SOCK_RAW | socket.SOCK_CLOEXEC | socket.SOCK_NONBLOCK, protocol
        )
        try:
            self._socket.setsockopt(
                socket.SOL_SOCKET, socket.SO_BINDTODEVICE, device.encode() + b"\0"
            )
            # Ahead of what the tunnels have queued: a full egress is not a dead one.
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY)
            self._take_replies_only()
        except OSError:
            self._socket.close()
            raise

    def _take_replies_only(self) -> None:
        """Have the kernel drop every other kind of ICMP; a bit that is set refuses its type."""
        if self._v6:
            words = [0xFFFFFFFF] * 8
            words[_REPLY6 // 32] &= ~(1 << _REPLY6 % 32)
            self._socket.setsockopt(
                socket.IPPROTO_ICMPV6, _ICMP6_FILTER, struct.pack("=8I", *words)
            )
        else:
            mask = 0xFFFFFFFF & ~(1 << _REPLY4)
            self._socket.setsockopt(_SOL_RAW, _ICMP_FILTER, struct.pack("=I", mask))

    def fileno(self) -> int:
        """For a poller."""
        return self._socket.fileno()

    def close(self) -> None:
        """Close the socket."""
        self._socket.close()

    def send(self, number: int) -> bool:
        """Send one echo, numbered higher than the last; False where the host cannot send it now."""
        self._number = number
        kind = _REQUEST6 if self._v6 else _REQUEST4
        # The kernel computes ICMPv6 checksums.
        checksum = 0 if self._v6 else internet_checksum(self._packed(kind, 0))
        try:
            self._socket.sendto(self._packed(kind, checksum), self._peer)
        except OSError:
            return False
        return True

    def _packed(self, kind: int, checksum: int) -> bytes:
        return _ECHO.pack(kind, 0, checksum, self._id, self._number & _SEQUENCE) + self._token

    def receive(self) -> int | None:
        """The highest number of an echo of this socket that is answered now; never waits."""
        heard: int | None = None
        for _ in range(_MOST_RECEIVES):
            try:
                data, sender = self._socket.recvfrom(512)
            except OSError:
                break
            number = self._answered(data, sender)
            if number is not None:
                heard = number if heard is None else max(heard, number)
        return heard

    def _answered(self, data: bytes, sender: tuple[object, ...]) -> int | None:
        if not self._v6 and data:
            data = data[4 * (data[0] & 0x0F) :]  # a raw IPv4 socket hands over the IP header too
        if len(data) < _ECHO.size:
            return None
        if ipaddress.ip_address(str(sender[0]).partition("%")[0]) != self._address:
            return None
        kind, _, _, identifier, sequence = _ECHO.unpack_from(data)
        is_mine = (
            kind == (_REPLY6 if self._v6 else _REPLY4)
            and identifier == self._id
            and data[_ECHO.size :] == self._token
        )
        return self._number - (self._number - sequence & _SEQUENCE) if is_mine else None
