"""Changing a namespace at once, without starting a program for it."""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from ipaddress import ip_interface
from typing import Any

from testbed.failed import Failed
from testbed.namespace import Namespace

_RTM_NEWLINK, _RTM_DELADDR, _NLM_F_REQUEST, _NLM_F_ACK, _NLMSG_ERROR = 16, 21, 1, 4, 2
_IFF_UP = 1
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_NETLINK_NETFILTER, _NFNL_CONNTRACK_DELETE = 12, 1 << 8 | 2
_HEADER = struct.Struct("=IHHII")
_PATIENCE_S = 10.0


class Netlink:
    """What it is told is done when a call returns. Methods raise Failed, OSError."""

    def __init__(self, namespace: Namespace) -> None:
        self._namespace = namespace
        with namespace.inside():
            self._nft = _Nftables()

    def close(self) -> None:
        """Let go of the namespace, which would outlive its name."""
        self._nft.close()

    def nft(self, script: str) -> None:
        """Run an nft script; all of it or nothing."""
        with self._namespace.inside():
            self._nft.run(script)

    def set_link(self, name: str, *, up: bool) -> None:
        """Bring an interface up or down."""
        with self._namespace.inside():
            _ask(socket.NETLINK_ROUTE, set_link(socket.if_nametoindex(name), up=up))

    def remove_address(self, device: str, address: str) -> None:
        """Take an address, with its prefix length, from an interface."""
        with self._namespace.inside():
            _ask(socket.NETLINK_ROUTE, delete_address(socket.if_nametoindex(device), address))

    def forget_connections(self) -> None:
        """Empty the table of connection tracking."""
        with self._namespace.inside():
            _ask(_NETLINK_NETFILTER, _all_connections())


class _Nftables:
    """libnftables, of the namespace in which it is made."""

    def __init__(self) -> None:
        try:
            library: Any = ctypes.CDLL("libnftables.so.1")
        except OSError as error:
            raise Failed(f"{error}: is nftables installed?") from None
        library.nft_ctx_new.restype = ctypes.c_void_p
        library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
        self._library = library
        self._context = ctypes.c_void_p(library.nft_ctx_new(0))
        library.nft_ctx_buffer_error(self._context)
        library.nft_ctx_buffer_output(self._context)

    def run(self, script: str) -> None:
        if self._library.nft_run_cmd_from_buffer(self._context, script.encode()):
            said: bytes = self._library.nft_ctx_get_error_buffer(self._context)
            raise Failed(f"nft: {said.decode(errors='replace').strip()}")

    def close(self) -> None:
        self._library.nft_ctx_free(self._context)


def set_link(index: int, *, up: bool) -> bytes:
    """The rtnetlink message that brings an interface up or down (rtnetlink(7))."""
    flags = _IFF_UP if up else 0
    return _message(
        _RTM_NEWLINK, struct.pack("=BxHiII", socket.AF_UNSPEC, 0, index, flags, _IFF_UP)
    )


def delete_address(index: int, address: str) -> bytes:
    """The rtnetlink message that takes an address from an interface."""
    own = ip_interface(address)
    family = socket.AF_INET6 if own.version == 6 else socket.AF_INET
    body = struct.pack("=BBBBI", family, own.network.prefixlen, 0, 0, index)
    for kind in (_IFA_LOCAL, _IFA_ADDRESS):
        body += struct.pack("=HH", 4 + len(own.packed), kind) + own.packed
    return _message(_RTM_DELADDR, body)


def _all_connections() -> bytes:
    return _message(_NFNL_CONNTRACK_DELETE, struct.pack("=BBH", socket.AF_UNSPEC, 0, 0))


def _message(kind: int, body: bytes) -> bytes:
    size = _HEADER.size + len(body)
    return _HEADER.pack(size, kind, _NLM_F_REQUEST | _NLM_F_ACK, 1, 0) + body


def _ask(protocol: int, message: bytes) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as sock:
        sock.settimeout(_PATIENCE_S)
        sock.bind((0, 0))
        sock.send(message)
        answer = sock.recv(65536)
    _, kind, _, _, _ = _HEADER.unpack_from(answer)
    code = struct.unpack_from("=i", answer, _HEADER.size)[0]
    if kind == _NLMSG_ERROR and code:
        raise OSError(-code, os.strerror(-code))
