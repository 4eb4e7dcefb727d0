"""A UDP socket that sends and receives trains of datagrams (UDP_SEGMENT, UDP_GRO)."""

from __future__ import annotations

import array
import errno
import ipaddress
import socket
import struct
from contextlib import suppress
from typing import Any

_UDP_SEGMENT = 103
_UDP_GRO = 104
_SO_RCVBUFFORCE = 33
_SO_SNDBUFFORCE = 32
_SO_ATTACH_REUSEPORT_CBPF = 51
_IP_PKTINFO = 8
_IP_MTU_DISCOVER = 10
_IP_RECVTOS = 13
_IPV6_MTU_DISCOVER = 23
_PMTUDISC_PROBE = 3
_PMTUDISC_INTERFACE = 4
"""Nothing is longer than the interface's own MTU, so this host cuts nothing, and ICMP errors, which
anybody can send, change nothing. Over IPv4 DF is clear, as what has grown too long since the path
was measured is better cut on the way than lost; with PROBE it is set."""
_RECEIVE_BYTES = 26_214_400
_SEND_BYTES = 4 << 20
"""Enough for a burst; what waits in it waits before the probes too."""
_ANCILLARY_BYTES = 128
_NAME_BYTES = 16
_PKTINFO4 = struct.Struct("=i4s4s")
"""struct in_pktinfo: interface, our address, the packet's destination."""
PKTINFO4_BYTES = _PKTINFO4.size
_U16 = struct.Struct("=H")
_SOCK_FILTER_BYTES = 8
_SOCK_FPROG = struct.Struct("@HP")
_I32 = struct.Struct("=i")
_ANY_INTERFACE = bytes(4)
_FAMILY = struct.Struct("=H")
_SCOPE = struct.Struct("=I")
_SOCKADDR4 = struct.Struct("!2sH4s8x")
_SOCKADDR6 = struct.Struct("!2sHI16s4s")

_WILDCARDS = frozenset({"::", "0.0.0.0"})
_NO_OFFLOAD = frozenset({errno.EIO, errno.EOPNOTSUPP, errno.ENOPROTOOPT})
_TOO_LONG = frozenset({errno.EMSGSIZE, errno.EINVAL})


SocketAddress = tuple[Any, ...]
"""`(host, port)` over IPv4, `(host, port, flow label, scope)` over IPv6."""


class UdpSocket:
    """Bound and non-blocking; connected where `peer` is given."""

    def __init__(
        self,
        address: str,
        port: int,
        *,
        peer: tuple[str, int] | None = None,
        device: str | None = None,
        adopted: socket.socket | None = None,
        shared: bool = False,
        receive_bytes: int | None = None,
    ) -> None:
        """`::` receives IPv4 too; `device` is the interface to send from. Raises OSError.

        A link-local address names its interface: `fe80::1%eth0`. `shared`: others of this user
        may bind to the same address and port, if theirs are shared too; it has no `device`.
        `receive_bytes`: room for what waits.
        """
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        self._socket = adopted or socket.socket(family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
        self.is_adopted = adopted is not None
        try:
            if adopted is None and family == socket.AF_INET6:
                self._socket.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
            self._configure(family, receive_bytes or _RECEIVE_BYTES)
            if shared:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            elif device is not None or self.is_adopted:
                self._bind_to(device)
            if adopted is None:
                self._socket.bind(_sockaddr(address, port))
                if peer is not None:
                    self._socket.connect(_sockaddr(*peer))
        except OSError as error:
            self._socket.close()
            raise OSError(error.errno, error.strerror, f"UDP {address} port {port}") from None
        self.fd = self._socket.fileno()
        self.port: int = self._socket.getsockname()[1]
        self._family = family
        self._connected = peer is not None
        self._roams_to = peer if address in _WILDCARDS else None
        self.segmentation = True
        self.coalescing = self._set_gro(allowed=True)

    @classmethod
    def adopt(
        cls,
        fd: int,
        address: str,
        port: int,
        *,
        peer: tuple[str, int] | None = None,
        device: str | None = None,
        shared: bool = False,
        receive_bytes: int | None = None,
    ) -> UdpSocket | None:
        """Take over a socket of an earlier process with all that waits in it.

        None, and it is closed, where it is not the one that would be made. Raises OSError.
        """
        sock = socket.socket(fileno=fd)
        if _is_bound(sock, address, port, peer):
            return cls(
                address,
                port,
                peer=peer,
                device=device,
                adopted=sock,
                shared=shared,
                receive_bytes=receive_bytes,
            )
        sock.close()
        return None

    def _configure(self, family: int, receive_bytes: int) -> None:
        sock = self._socket
        sock.setblocking(False)
        for option, plain, size in (
            (_SO_RCVBUFFORCE, socket.SO_RCVBUF, receive_bytes),
            (_SO_SNDBUFFORCE, socket.SO_SNDBUF, _SEND_BYTES),
        ):
            try:
                sock.setsockopt(socket.SOL_SOCKET, option, size)
            except PermissionError:
                sock.setsockopt(socket.SOL_SOCKET, plain, size)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MTU_DISCOVER, _PMTUDISC_INTERFACE)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
        with suppress(OSError):
            sock.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_INTERFACE)
            sock.setsockopt(socket.IPPROTO_IP, _IP_RECVTOS, 1)

    def _bind_to(self, device: str | None) -> None:
        """The kernel takes a socket that shares its port out of its group for that."""
        name = (device or "").encode() + b"\0"
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, name)

    def divide(self, program: bytes) -> None:
        """Have a classic BPF program choose among the sockets that share the port. Raises OSError.

        `program` is an array of struct sock_filter; it returns the place of a socket in the order
        in which they were bound.
        """
        code = array.array("B", program)
        where, length = code.buffer_info()
        chosen = _SOCK_FPROG.pack(length // _SOCK_FILTER_BYTES, where)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_REUSEPORT_CBPF, chosen)
        except OSError as error:
            what = f"UDP port {self.port}: SO_ATTACH_REUSEPORT_CBPF"
            raise OSError(error.errno, error.strerror, what) from None

    def join(self, *, allowed: bool) -> None:
        """Let the kernel join datagrams that arrive, where it can, or not."""
        self.coalescing = self._set_gro(allowed=allowed) and allowed

    def _set_gro(self, *, allowed: bool) -> bool:
        try:
            self._socket.setsockopt(socket.IPPROTO_UDP, _UDP_GRO, allowed)
        except OSError:
            return False
        return True

    def fileno(self) -> int:
        """For a poller."""
        return self._socket.fileno()

    @property
    def local_address(self) -> tuple[Any, ...]:
        """Where it is bound."""
        return tuple(self._socket.getsockname())

    def has_moved(self, device: str | None = None) -> bool:
        """Whether its peer is now reached from another address, or interface, than at first.

        The kernel chooses an address once; the socket is useless when that is gone. Not so
        while there is no way to the peer. Where an address was given, `device` is the
        interface that has it now, if that is known.
        """
        if self._roams_to is None:
            return device is not None and self._device != device
        with socket.socket(self._family, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as fresh:
            try:
                fresh.connect(_sockaddr(*self._roams_to))
            except OSError:
                return False
            return _place(fresh.getsockname()) != _place(self.local_address)

    @property
    def _device(self) -> str | None:
        """The interface it sends from, which may have been renamed; None where it is gone.

        The kernel binds to an index: an interface that is made anew has another.
        """
        try:
            name = self._socket.getsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, _NAME_BYTES)
        except OSError:
            return None
        return name.rstrip(b"\0").decode()

    @property
    def offloads(self) -> tuple[str, ...]:
        """What the kernel does for this socket."""
        names = (("udp_segment", self.segmentation), ("udp_gro", self.coalescing))
        return tuple(name for name, there in names if there)

    def receive_into(
        self, buffer: bytearray
    ) -> tuple[int, int, int, SocketAddress | None, bytes | None]:
        """A train: bytes, bytes of each datagram but the last, ECN, peer, pktinfo of our address.

        Raises BlockingIOError when nothing is there, OSError for a pending error.
        """
        length, ancillary, _, peer = self._socket.recvmsg_into([buffer], _ANCILLARY_BYTES)
        each, ecn, local = length, 0, None
        for level, kind, data in ancillary:
            if level == socket.IPPROTO_UDP:
                if kind == _UDP_GRO:
                    each = _I32.unpack_from(data)[0]
            elif level == socket.IPPROTO_IPV6:
                if kind == socket.IPV6_PKTINFO:
                    local = data if _is_link_local(data) else data[:16] + _ANY_INTERFACE
                elif kind == socket.IPV6_TCLASS:
                    ecn = _I32.unpack_from(data)[0] & 3
            elif level == socket.IPPROTO_IP:
                if kind == socket.IP_TOS:
                    ecn = data[0] & 3
                elif kind == _IP_PKTINFO:
                    _, own, _ = _PKTINFO4.unpack(data)
                    local = _PKTINFO4.pack(0, own, bytes(4))
        return length, each, ecn, peer, local

    def sends_ipv4(self, peer: SocketAddress | None) -> bool:
        """Whether what goes to `peer` leaves over IPv4, perhaps from an IPv6 socket."""
        return self._family == socket.AF_INET or (
            peer is not None and str(peer[0]).startswith("::ffff:")
        )

    def can_reach(self, peer: SocketAddress | None) -> bool:
        """Whether it could send there: its family, and some address."""
        return peer is not None and (len(peer) == 4) is (self._family == socket.AF_INET6)

    def packed(self, peer: SocketAddress) -> bytes:
        """`peer` as struct sockaddr_in or sockaddr_in6."""
        host, _, _ = str(peer[0]).partition("%")
        address = socket.inet_pton(self._family, host)
        if self._family == socket.AF_INET:
            return _SOCKADDR4.pack(_FAMILY.pack(self._family), peer[1], address)
        return _SOCKADDR6.pack(
            _FAMILY.pack(self._family), peer[1], peer[2], address, _SCOPE.pack(peer[3])
        )

    def send(
        self,
        data: memoryview,
        train: tuple[int, int, int, int],
        peer: SocketAddress | None = None,
        local: bytes | None = None,
        *,
        together: bool = True,
    ) -> int:
        """Send a train out of `data`: offset, bytes, bytes of each datagram, ECN.

        In one system call where the kernel can, but for one that is not to be sent `together`.

        Returns how many datagrams the kernel took. Raises OSError for what only an
        operator can mend, such as no route.
        """
        offset, length, each, ecn = train
        if length > each and together and self.segmentation:
            try:
                sent = self._send(data[offset : offset + length], peer, local, each, ecn)
                return -(-length // each) if sent else 0
            except OSError as error:
                if error.errno in _NO_OFFLOAD:
                    self.segmentation = False
                elif error.errno not in _TOO_LONG:
                    raise
        count = 0
        for at in range(offset, offset + length, each):
            end = min(at + each, offset + length)
            with suppress(OSError):
                count += self._send(data[at:end], peer, local, 0, ecn)
        return count

    def send_one(
        self, datagram: bytes, peer: SocketAddress | None = None, local: bytes | None = None
    ) -> bool:
        """Send one datagram; as `send`."""
        return self._send(datagram, peer, local, 0, 0)

    def send_whole(
        self, datagram: bytes, peer: SocketAddress | None = None, local: bytes | None = None
    ) -> bool:
        """Send one datagram that nobody may cut; False where this host cannot, as it is too long.

        IPv6 has no routers that cut; over IPv4 DF is set for this one: no control message does it.
        """
        ipv4 = self.sends_ipv4(peer)
        if ipv4:
            self._socket.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_PROBE)
        try:
            self._send(datagram, peer, local, 0, 0)
        except OSError as error:
            return error.errno != errno.EMSGSIZE
        finally:
            if ipv4:
                self._socket.setsockopt(socket.IPPROTO_IP, _IP_MTU_DISCOVER, _PMTUDISC_INTERFACE)
        return True

    def _send(
        self,
        data: bytes | memoryview,
        peer: SocketAddress | None,
        local: bytes | None,
        each: int,
        ecn: int,
    ) -> bool:
        ancillary: list[tuple[int, int, bytes]] = []
        if each:
            ancillary.append((socket.IPPROTO_UDP, _UDP_SEGMENT, _U16.pack(each)))
        if local is not None and len(local) == PKTINFO4_BYTES:
            ancillary.append((socket.IPPROTO_IP, _IP_PKTINFO, local))
        elif local is not None:
            ancillary.append((socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, local))
        if ecn:
            ancillary.append(self._traffic_class(peer, ecn))
        destination = () if self._connected or peer is None else (0, peer)
        for attempt in (1, 2):
            try:
                self._socket.sendmsg([data], ancillary, *destination)
            except BlockingIOError:
                return False
            except ConnectionRefusedError:
                # An ICMP error of an earlier datagram: reported once, this one was not sent.
                if attempt == 2:
                    return False
            else:
                return True
        return False

    def _traffic_class(self, peer: SocketAddress | None, ecn: int) -> tuple[int, int, bytes]:
        """The control message that sets the outer ECN; IPv4 has its own on a mapped address."""
        if self.sends_ipv4(peer):
            return socket.IPPROTO_IP, socket.IP_TOS, _I32.pack(ecn)
        return socket.IPPROTO_IPV6, socket.IPV6_TCLASS, _I32.pack(ecn)

    def close(self) -> None:
        """Close it."""
        self._socket.close()


def peer_of(fd: int) -> tuple[str, int] | None:
    """Address and port that a socket is connected to, without a scope; None for any other one."""
    with socket.socket(fileno=socket.dup(fd)) as sock:
        try:
            host, port = sock.getpeername()[:2]
        except OSError:
            return None
    return host.partition("%")[0], port


def port_of(fd: int) -> int:
    """The port that a UDP socket is bound to."""
    with socket.socket(fileno=socket.dup(fd)) as sock:
        return int(sock.getsockname()[1])


def _is_bound(sock: socket.socket, address: str, port: int, peer: tuple[str, int] | None) -> bool:
    """Whether it is a UDP socket at that address and port, connected to `peer` if there is one."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    if sock.family != family or sock.type != socket.SOCK_DGRAM:
        return False
    local = sock.getsockname()
    if port not in {0, local[1]}:
        return False
    try:
        wanted = _place(_sockaddr(address, port))
        if peer is None:
            return _place(local) == wanted
        remote, far = sock.getpeername(), _sockaddr(*peer)
    except OSError:  # not connected, or an interface is gone
        return False
    chosen = address in _WILDCARDS  # by the kernel, as it connected
    same_peer = _place(remote) == _place(far) and remote[1] == far[1]
    return same_peer and (chosen or _place(local) == wanted)


def _sockaddr(address: str, port: int) -> SocketAddress:
    """For bind and connect. Raises OSError where the interface that it names is not there."""
    host, _, scope = address.partition("%")
    if ":" not in host:
        return host, port
    return host, port, 0, interface_index(scope) if scope else 0


def interface_index(scope: str) -> int:
    """The index of the interface in `fe80::1%eth0` or `fe80::1%2`. Raises OSError."""
    try:
        return socket.if_nametoindex(scope)
    except OSError:
        if scope.isdecimal():
            return int(scope)
        raise OSError(errno.ENODEV, f"there is no interface {scope}") from None


def _place(address: SocketAddress) -> tuple[object, int]:
    """Address and scope, however they are written."""
    host, _, _ = str(address[0]).partition("%")
    return ipaddress.ip_address(host), address[3] if len(address) > 3 else 0


def _is_link_local(address: bytes) -> bool:
    """Of IPv6 (RFC 4291 section 2.5.6): it says nothing without its interface."""
    return address[0] == 0xFE and address[1] & 0xC0 == 0x80


def unpacked(data: bytes) -> SocketAddress:
    """The address in a struct sockaddr_in or sockaddr_in6; empty for none."""
    if not data:
        return ()
    if _FAMILY.unpack_from(data)[0] == socket.AF_INET:
        _, port, address = _SOCKADDR4.unpack(data[: _SOCKADDR4.size])
        return socket.inet_ntop(socket.AF_INET, address), port
    _, port, flow, address, scope = _SOCKADDR6.unpack(data[: _SOCKADDR6.size])
    return socket.inet_ntop(socket.AF_INET6, address), port, flow, _SCOPE.unpack(scope)[0]
