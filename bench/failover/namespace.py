"""Doing things inside a host's network namespace at once, without starting a program for it."""

from __future__ import annotations

import ctypes
import fcntl
import os
import queue
import socket
import struct
import threading
from collections.abc import Callable
from concurrent.futures import Future
from ipaddress import ip_interface
from pathlib import Path
from typing import Any, TypeVar

from bench.shell import BenchError

_CLONE_NEWNET = 0x40000000
_SIOCGIFFLAGS, _SIOCSIFFLAGS, _IFF_UP = 0x8913, 0x8914, 1
_IFREQ_FLAGS = struct.Struct("16sh14x")
_RTM_DELADDR, _NLM_F_REQUEST, _NLM_F_ACK, _NLMSG_ERROR = 21, 1, 4, 2
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_NETLINK_NETFILTER, _NFNL_CONNTRACK_DELETE = 12, 1 << 8 | 2
_HEADER = struct.Struct("=IHHII")
_PATIENCE_S = 10.0
T = TypeVar("T")


class Namespace:
    """A thread that lives in a network namespace; what it is told is done when a call returns.

    Methods raise BenchError or OSError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._orders: queue.SimpleQueue[Callable[[], None] | None] = queue.SimpleQueue()
        self._thread = threading.Thread(target=self._live, name=path.name, daemon=True)
        self._nft: _Nftables
        self._thread.start()
        self.do(self._enter)

    def close(self) -> None:
        """End the thread."""
        self._orders.put(None)
        self._thread.join()

    def do(self, what: Callable[[], T]) -> T:
        """Call something in the namespace; its result."""
        future: Future[T] = Future()

        def order() -> None:
            try:
                future.set_result(what())
            except BaseException as error:
                future.set_exception(error)

        self._orders.put(order)
        return future.result(_PATIENCE_S)

    def nft(self, script: str) -> None:
        """Run an nft script; all of it or nothing."""
        self.do(lambda: self._nft.run(script))

    def set_link(self, name: str, *, up: bool) -> None:
        """Bring an interface up or down."""
        self.do(lambda: _set_link(name, up))

    def remove_address(self, device: str, address: str) -> None:
        """Take an address, with its prefix length, from an interface."""
        self.do(lambda: _netlink(socket.NETLINK_ROUTE, delete_address(_index(device), address)))

    def forget_connections(self) -> None:
        """Empty the table of connection tracking."""
        self.do(lambda: _netlink(_NETLINK_NETFILTER, _all_connections()))

    def _enter(self) -> None:
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            libc = ctypes.CDLL(None, use_errno=True)
            if libc.setns(descriptor, _CLONE_NEWNET):
                raise OSError(ctypes.get_errno(), f"cannot enter {self._path}")
        finally:
            os.close(descriptor)
        self._nft = _Nftables()

    def _live(self) -> None:
        while (order := self._orders.get()) is not None:
            order()


class _Nftables:
    """libnftables, of the namespace in which it is made."""

    def __init__(self) -> None:
        try:
            library: Any = ctypes.CDLL("libnftables.so.1")
        except OSError as error:
            raise BenchError(f"{error}: is nftables installed?") from None
        library.nft_ctx_new.restype = ctypes.c_void_p
        library.nft_ctx_get_error_buffer.restype = ctypes.c_char_p
        self._library = library
        self._context = ctypes.c_void_p(library.nft_ctx_new(0))
        library.nft_ctx_buffer_error(self._context)
        library.nft_ctx_buffer_output(self._context)

    def run(self, script: str) -> None:
        if self._library.nft_run_cmd_from_buffer(self._context, script.encode()):
            said: bytes = self._library.nft_ctx_get_error_buffer(self._context)
            raise BenchError(f"nft: {said.decode(errors='replace').strip()}")


def _set_link(name: str, up: bool) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        word = name.encode()
        answer = fcntl.ioctl(sock, _SIOCGIFFLAGS, _IFREQ_FLAGS.pack(word, 0))
        flags = _IFREQ_FLAGS.unpack(answer)[1]
        flags = flags | _IFF_UP if up else flags & ~_IFF_UP
        fcntl.ioctl(sock, _SIOCSIFFLAGS, _IFREQ_FLAGS.pack(word, flags))


def _index(device: str) -> int:
    # Asked of the kernel of this thread's namespace.
    return socket.if_nametoindex(device)


def delete_address(index: int, address: str) -> bytes:
    """The rtnetlink message that takes an address from an interface (rtnetlink(7))."""
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


def _netlink(protocol: int, message: bytes) -> None:
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, protocol) as sock:
        sock.settimeout(_PATIENCE_S)
        sock.bind((0, 0))
        sock.send(message)
        answer = sock.recv(65536)
    _, kind, _, _, _ = _HEADER.unpack_from(answer)
    code = struct.unpack_from("=i", answer, _HEADER.size)[0]
    if kind == _NLMSG_ERROR and code:
        raise OSError(-code, os.strerror(-code))
