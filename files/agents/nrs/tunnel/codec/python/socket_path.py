"""Where datagrams go to, and the trains that come in."""

from __future__ import annotations

import struct

from nrs.tunnel.codec.carrier import INTAKE_BYTES, PATH
from nrs.tunnel.udp_socket import SocketAddress, UdpSocket

_U32 = struct.Struct("!I")


class PythonPath:
    """See `codec.carrier.Path`."""

    __slots__ = ("candidate", "local", "peer", "socket", "together")

    def __init__(
        self,
        socket: UdpSocket,
        peer: SocketAddress | None,
        local: bytes | None,
        memory: memoryview | None = None,
    ) -> None:
        self.socket, self.peer, self.local = socket, peer, local
        self.together = True
        self.candidate: PythonCandidate | None = None
        if memory is not None:
            address = socket.packed(peer) if peer is not None else b""
            # In one assignment: `pack_into` would leave zeros for a moment.
            memory[:] = PATH.pack(len(address), len(local or b""), address, local or b"")

    def send_together(self, *, allowed: bool) -> None:
        self.together = allowed
        if self.candidate is not None:
            self.candidate.together = allowed

    def consider(self, socket: UdpSocket, peer: SocketAddress | None, local: bytes | None) -> None:
        self.candidate = PythonCandidate(socket, peer, local)
        self.candidate.together = self.together

    def dismiss(self) -> None:
        self.candidate = None


class PythonCandidate(PythonPath):
    """See `codec.carrier.Candidate`."""

    __slots__ = ("challenges_only", "left")

    def __init__(self, socket: UdpSocket, peer: SocketAddress | None, local: bytes | None) -> None:
        super().__init__(socket, peer, local)
        self.left = 0
        self.challenges_only = False


class PythonIntake:
    """See `codec.carrier.Intake`."""

    def __init__(self) -> None:
        self._buffer = bytearray(INTAKE_BYTES)
        self._view = memoryview(self._buffer)
        self.train = self._view[:0]
        self.index = self.length = self.each = self.ecn = self.start = 0
        self.peer: SocketAddress = ()
        self.local: bytes | None = None

    def receive(self, socket: UdpSocket) -> int:
        try:
            length, self.each, self.ecn, peer, self.local = socket.receive_into(self._buffer)
        except BlockingIOError:
            return 0
        except OSError:
            return -1
        self.peer = peer or ()
        self.length = length
        self.train = self._view[:length]
        self.index = self.index_at(0)
        return 1

    def index_at(self, start: int) -> int:
        return _U32.unpack_from(self._buffer, start + 4)[0] if start + 8 <= self.length else 0

    def datagram(self, start: int) -> memoryview:
        return self.train[start : start + self.each]
