"""The system calls of the C codec (codec/nrs_carrier.c), bound with cffi."""

from __future__ import annotations

import os
from typing import Any

from _nrs_codec import ffi, lib

from nrs.tunnel import virtio
from nrs.tunnel.codec.c.sealing import CSealer, address_of
from nrs.tunnel.codec.carrier import FRAMES_BYTES, INTAKE_BYTES, MOST_FRAMES, OUTBOX_BYTES, Totals
from nrs.tunnel.inner import is_tcp
from nrs.tunnel.udp_socket import SocketAddress, UdpSocket, unpacked

_VNET = virtio.HEADER_BYTES
_TOO_LONG, _NO_SEGMENTATION = 1, 2


class CFrames:
    """See `codec.carrier.Frames`."""

    def __init__(self) -> None:
        self.count = 0
        self._arena = bytearray(FRAMES_BYTES)
        self._view = memoryview(self._arena)
        self.arena: Any = ffi.from_buffer(self._arena)
        self.handle: Any = ffi.new("nrs_frames *")
        self._places = memoryview(ffi.buffer(self.handle)).cast("B").cast("I")
        self._key: Any = ffi.new("uint8_t[37]")
        self._key_bytes = ffi.buffer(self._key)

    def read(self, fd: int) -> bool:
        result = lib.nrs_read_frames(fd, self.arena, FRAMES_BYTES, self.handle)
        self.count = self.handle.count
        if result < 0:
            raise OSError(-result, os.strerror(-result))
        return bool(result)

    def load(self, frames: list[bytes]) -> None:
        used = 0
        if len(frames) > MOST_FRAMES:
            raise ValueError("too many frames")
        for index, frame in enumerate(frames):
            self._view[used : used + len(frame)] = frame
            self.handle.offset[index] = used
            self.handle.length[index] = len(frame)
            used += len(frame)
        self.count = self.handle.count = len(frames)

    def copied_but_tcp(self, first: int, end: int) -> list[bytes]:
        # count, then all offsets, then all lengths
        view, places = self._view, self._places
        lengths = places[1 + MOST_FRAMES :]
        return [
            bytes(view[offset : offset + length])
            for offset, length in zip(places[1 + first : 1 + end], lengths[first:end], strict=True)
            if not is_tcp(view, offset + _VNET)
        ]

    def packet(self, index: int) -> bytes:
        start = self.handle.offset[index]
        return bytes(self._view[start + _VNET : start + self.handle.length[index]])

    def flow(self, first: int) -> tuple[int, bytes, int]:
        found = lib.nrs_flow(self.arena, self.handle, first, self._key)
        return first + (found >> 16), self._key_bytes[: found & 0xFF], found >> 8 & 0xFF


class CPath:
    """See `codec.carrier.Path`."""

    __slots__ = ("candidate", "candidate_handle", "handle", "socket")

    def __init__(
        self,
        socket: UdpSocket,
        peer: SocketAddress | None,
        local: bytes | None,
        memory: memoryview | None = None,
    ) -> None:
        self.socket = socket
        path: Any = (
            ffi.new("nrs_path *") if memory is None else ffi.cast("nrs_path *", address_of(memory))
        )
        path.fd = socket.fileno()
        path.segmentation = socket.segmentation
        path.ipv4 = socket.sends_ipv4(peer)
        address = socket.packed(peer) if peer is not None else b""
        path.address_length = len(address)
        ffi.memmove(path.address, address, len(address))
        path.local_length = len(local or b"")
        ffi.memmove(path.local, local or b"", len(local or b""))
        self.handle = path
        self.dismiss()

    def send_together(self, *, allowed: bool) -> None:
        self.handle.segmentation = allowed and self.socket.segmentation
        if self.candidate is not None:
            self.candidate.send_together(allowed=allowed)

    def consider(self, socket: UdpSocket, peer: SocketAddress | None, local: bytes | None) -> None:
        self.candidate: CCandidate | None = CCandidate(socket, peer, local)
        self.candidate_handle: Any = self.candidate.whole
        if not self.handle.segmentation:
            self.candidate.send_together(allowed=False)

    def dismiss(self) -> None:
        self.candidate, self.candidate_handle = None, ffi.NULL

    @property
    def peer(self) -> SocketAddress | None:
        return address_held(self.handle) or None

    @property
    def local(self) -> bytes | None:
        return _local(self.handle)


class CCandidate(CPath):
    """See `codec.carrier.Candidate`."""

    __slots__ = ("whole",)

    def __init__(self, socket: UdpSocket, peer: SocketAddress | None, local: bytes | None) -> None:
        self.whole: Any = ffi.new("nrs_candidate *")
        path = ffi.buffer(ffi.addressof(self.whole, "path"))
        super().__init__(socket, peer, local, memoryview(path))

    @property
    def left(self) -> int:
        return int(self.whole.left)

    @left.setter
    def left(self, left: int) -> None:
        self.whole.left = left

    @property
    def challenges_only(self) -> bool:
        return bool(self.whole.challenges_only)

    @challenges_only.setter
    def challenges_only(self, only: bool) -> None:
        self.whole.challenges_only = only


class CIntake:
    """See `codec.carrier.Intake`."""

    def __init__(self) -> None:
        self._buffer = bytearray(INTAKE_BYTES)
        self._view = memoryview(self._buffer)
        self.buffer: Any = ffi.from_buffer(self._buffer)
        self.train: Any = ffi.new("nrs_train *")

    def receive(self, socket: UdpSocket) -> int:
        return int(lib.nrs_receive(socket.fd, self.buffer, INTAKE_BYTES, self.train))

    @property
    def index(self) -> int:
        return int(self.train.index)

    @property
    def length(self) -> int:
        return int(self.train.length)

    @property
    def each(self) -> int:
        return int(self.train.each)

    @property
    def start(self) -> int:
        return int(self.train.start)

    def index_at(self, start: int) -> int:
        if start + 8 > self.train.length:
            return 0
        return int.from_bytes(self._view[start + 4 : start + 8], "big")

    def datagram(self, start: int) -> memoryview:
        train = self.train
        return self._view[start : min(start + train.each, train.length)]

    @property
    def peer(self) -> SocketAddress:
        return address_held(self.train)

    @property
    def local(self) -> bytes | None:
        return _local(self.train)


def address_held(holder: Any) -> SocketAddress:
    """The peer in an nrs_path, nrs_train or nrs_sifted."""
    return unpacked(bytes(ffi.buffer(holder.address, holder.address_length)))


def _local(holder: Any) -> bytes | None:
    return bytes(ffi.buffer(holder.local, holder.local_length)) if holder.local_length else None


class COutbox:
    """See `codec.carrier.Outbox`."""

    def __init__(self) -> None:
        self._out: Any = ffi.from_buffer(bytearray(OUTBOX_BYTES))
        self._sealed: Any = ffi.new("nrs_sealed *")
        self._totals: Any = ffi.new("nrs_totals *")

    @property
    def totals(self) -> Totals:
        return totals_of(self._totals)

    def carry(self, sealer: CSealer, path: CPath, frames: CFrames, first: int, end: int) -> int:
        result = lib.nrs_carry_out(
            sealer.handle,
            path.handle,
            path.candidate_handle,
            frames.arena,
            frames.handle,
            first,
            end,
            self._out,
            OUTBOX_BYTES,
            self._sealed,
            self._totals,
        )
        if result & _NO_SEGMENTATION:
            path.socket.segmentation = False
        return int(self._sealed.too_long) if result & _TOO_LONG else 0


def totals_of(counted: Any) -> Totals:
    """An nrs_totals."""
    _, tag, replay, source, malformed = counted.drops
    return Totals(
        datagrams=counted.datagrams,
        packets=counted.packets,
        bytes=counted.bytes,
        batches=counted.batches,
        batched=counted.batched,
        malformed=counted.malformed + malformed,
        full=counted.full,
        refused=counted.refused,
        tag=tag,
        replay=replay,
        source=source,
    )
