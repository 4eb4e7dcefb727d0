"""The codec in pure Python. The same rules in C, function by function: codec/nrs_codec.c."""

from __future__ import annotations

from nrs.tunnel.codec.interface import Check
from nrs.tunnel.codec.python.frames import PythonFrames
from nrs.tunnel.codec.python.opening import PythonInbox, PythonOpener
from nrs.tunnel.codec.python.sealing import PythonOutbox, PythonSealer
from nrs.tunnel.codec.python.socket_path import PythonIntake, PythonPath
from nrs.tunnel.inner import Owned
from nrs.tunnel.udp_socket import SocketAddress, UdpSocket


class PythonCodec:
    """See `interface.Codec`."""

    name = "python"

    def sealer(
        self,
        key: bytes,
        peer_index: int,
        key_id: int = 0,
        lane: int = 0,
        memory: memoryview | None = None,
    ) -> PythonSealer:
        return PythonSealer(key, peer_index, key_id, lane, memory)

    def opener(
        self,
        key: bytes,
        index: int,
        owned: Owned,
        check: Check,
        lanes: int = 1,
        memory: memoryview | None = None,
    ) -> PythonOpener:
        return PythonOpener(key, index, owned, check, lanes, memory)

    def path(
        self,
        socket: UdpSocket,
        peer: SocketAddress | None,
        local: bytes | None,
        memory: memoryview | None = None,
    ) -> PythonPath:
        return PythonPath(socket, peer, local, memory)

    def intake(self) -> PythonIntake:
        return PythonIntake()

    def frames(self) -> PythonFrames:
        return PythonFrames()

    def outbox(self) -> PythonOutbox:
        return PythonOutbox()

    def inbox(self, *, udp_offload: bool) -> PythonInbox:
        return PythonInbox(udp_offload=udp_offload)
