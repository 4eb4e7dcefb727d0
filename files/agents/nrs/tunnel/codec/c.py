"""The codec in C (codec/nrs_codec.c), bound with cffi. Import fails where it is not built."""

from __future__ import annotations

import os
import sys
from typing import Any

from _nrs_codec import ffi, lib

from nrs.tunnel import wire
from nrs.tunnel.codec.interface import (
    FRAMES_BYTES,
    INBOX_BYTES,
    INTAKE_BYTES,
    MOST_FRAMES,
    OUTBOX_BYTES,
    Check,
    Opened,
    Sealed,
    Send,
    Stop,
    Totals,
)
from nrs.tunnel.inner import Owned, is_tcp
from nrs.tunnel.udp_socket import SocketAddress, UdpSocket, unpacked
from nrs.tunnel.wire import Type

_VNET = 10


class CSealer:
    """See `interface.Sealer`."""

    __slots__ = ("handle", "peer_index")

    def __init__(
        self, key: bytes, peer_index: int, key_id: int, lane: int, memory: memoryview | None
    ) -> None:
        self.peer_index = peer_index
        made = lib.nrs_sealer_new(key, peer_index, key_id, lane, _address_of(memory))
        self.handle: Any = ffi.gc(_checked(made), lib.nrs_sealer_free)

    @property
    def sequence(self) -> int:
        return int(lib.nrs_sealer_sequence(self.handle))

    @sequence.setter
    def sequence(self, value: int) -> None:
        lib.nrs_sealer_set_sequence(self.handle, value)

    def control(self, kind: Type, body: bytes = b"", *, flags: int = 0, specific: int = 0) -> bytes:
        out = bytearray(wire.OVERHEAD + len(body))
        lib.nrs_seal_control(
            self.handle, kind, flags, specific, body, len(body), ffi.from_buffer(out)
        )
        return bytes(out)


class COpener:
    """See `interface.Opener`."""

    __slots__ = ("handle",)

    def __init__(
        self,
        key: bytes,
        index: int,
        owned: Owned,
        check: Check,
        lanes: int,
        memory: memoryview | None,
    ) -> None:
        made = lib.nrs_opener_new(key, index, lanes, check, _address_of(memory))
        self.handle: Any = ffi.gc(_checked(made), lib.nrs_opener_free)
        for address in owned.addresses:
            self._own(address, 8 * len(address))
        for prefix in owned.prefixes:
            self._own(prefix.network_address.packed, prefix.prefixlen)

    def _own(self, address: bytes, bits: int) -> None:
        family = 4 if len(address) == 4 else 6
        if not lib.nrs_opener_own(self.handle, family, address, bits):
            raise ValueError("a session has too many addresses")

    def highest(self, lane: int) -> int:
        return int(lib.nrs_opener_highest(self.handle, lane))

    def received(self, lane: int) -> int:
        return int(lib.nrs_opener_received(self.handle, lane))


class CFrames:
    """See `interface.Frames`."""

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

    def flow(self, first: int) -> tuple[int, bytes, int]:
        found = lib.nrs_flow(self.arena, self.handle, first, self._key)
        return first + (found >> 16), self._key_bytes[: found & 0xFF], found >> 8 & 0xFF


class CPath:
    """See `interface.Path`."""

    __slots__ = ("handle", "socket")

    def __init__(
        self,
        socket: UdpSocket,
        peer: SocketAddress | None,
        local: bytes | None,
        memory: memoryview | None,
    ) -> None:
        self.socket = socket
        path: Any = (
            ffi.new("nrs_path *") if memory is None else ffi.cast("nrs_path *", _address_of(memory))
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

    @property
    def peer(self) -> SocketAddress | None:
        return _address(self.handle) or None

    @property
    def local(self) -> bytes | None:
        return _local(self.handle)


class CIntake:
    """See `interface.Intake`."""

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

    def index_at(self, start: int) -> int:
        if start + 8 > self.train.length:
            return 0
        return int.from_bytes(self._view[start + 4 : start + 8], "big")

    def datagram(self, start: int) -> memoryview:
        train = self.train
        return self._view[start : min(start + train.each, train.length)]

    @property
    def peer(self) -> SocketAddress:
        return _address(self.train)

    @property
    def local(self) -> bytes | None:
        return _local(self.train)


def _address(holder: Any) -> SocketAddress:
    return unpacked(bytes(ffi.buffer(holder.address, holder.address_length)))


def _local(holder: Any) -> bytes | None:
    return bytes(ffi.buffer(holder.local, holder.local_length)) if holder.local_length else None


class COutbox:
    """See `interface.Outbox`."""

    def __init__(self) -> None:
        self._buffer = bytearray(OUTBOX_BYTES)
        self.view = memoryview(self._buffer)
        self._out: Any = ffi.from_buffer(self._buffer)
        self._sealed: Any = ffi.new("nrs_sealed *")
        self._totals: Any = ffi.new("nrs_totals *")

    @property
    def totals(self) -> Totals:
        return _totals(self._totals)

    def clear(self) -> None:
        self._sealed.count = self._sealed.used = 0

    def seal(self, sealer: CSealer, frames: CFrames, first: int, end: int) -> Sealed:
        r = self._sealed
        r.datagrams = r.packets = r.batches = r.batched = r.malformed = r.bytes = 0
        lib.nrs_seal(
            sealer.handle, frames.arena, frames.handle, first, end, self._out, OUTBOX_BYTES, r
        )
        return Sealed(
            next=r.next,
            used=r.used,
            datagrams=r.datagrams,
            packets=r.packets,
            bytes=r.bytes,
            batches=r.batches,
            batched=r.batched,
            malformed=r.malformed,
        )

    def sends(self) -> list[Send]:
        sends = self._sealed.sends
        return [
            Send(send.offset, send.length, send.each, send.ecn)
            for send in (sends[index] for index in range(self._sealed.count))
        ]

    def carry(self, sealer: CSealer, path: CPath, frames: CFrames, first: int, end: int) -> None:
        lib.nrs_carry_out(
            sealer.handle,
            path.handle,
            frames.arena,
            frames.handle,
            first,
            end,
            self._out,
            OUTBOX_BYTES,
            self._sealed,
            self._totals,
        )
        if not path.handle.segmentation:
            path.socket.segmentation = False


class CInbox:
    """See `interface.Inbox`."""

    def __init__(self, *, udp_offload: bool) -> None:
        self._udp_offload = udp_offload
        self._buffer = bytearray(INBOX_BYTES)
        self._out: Any = ffi.from_buffer(self._buffer)
        self._opened: Any = ffi.new("nrs_opened *")
        self._totals: Any = ffi.new("nrs_totals *")

    @property
    def totals(self) -> Totals:
        return _totals(self._totals)

    @property
    def at(self) -> int:
        return int(self._opened.at)

    @property
    def size(self) -> int:
        return int(self._opened.size)

    def clear(self) -> None:
        self._opened.used = 0

    def open(self, opener: COpener, train: memoryview, each: int, start: int, ecn: int) -> Opened:
        r = self._opened
        r.datagrams = r.authentic = r.newest = r.data = r.packets = r.bytes = r.size = 0
        drops = r.drops
        drops[1] = drops[2] = drops[3] = drops[4] = 0
        lib.nrs_open(
            opener.handle,
            ffi.from_buffer(train),
            len(train),
            each,
            start,
            ecn,
            self._udp_offload,
            self._out,
            INBOX_BYTES,
            r,
        )
        return Opened(
            stop=Stop(r.stop),
            at=r.at,
            size=r.size,
            datagrams=r.datagrams,
            authentic=r.authentic,
            newest=bool(r.newest),
            data=r.data,
            packets=r.packets,
            bytes=r.bytes,
            drops=(drops[1], drops[2], drops[3], drops[4]),
        )

    def carry(
        self,
        opener: COpener,
        path: CPath,
        socket: UdpSocket | None,
        intake: CIntake,
        start: int,
        fd: int,
    ) -> int:
        return int(
            lib.nrs_carry_in(
                opener.handle,
                path.handle,
                -1 if socket is None else socket.fd,
                intake.buffer,
                INTAKE_BYTES,
                intake.train,
                start,
                self._udp_offload,
                self._out,
                INBOX_BYTES,
                fd,
                self._opened,
                self._totals,
            )
        )

    def frames(self) -> list[bytes]:
        result, at = [], 0
        while at < self._opened.used:
            length = int.from_bytes(self._buffer[at : at + 4], sys.byteorder)
            result.append(bytes(self._buffer[at + 4 : at + 4 + length]))
            at += 4 + length
        return result


def _totals(counted: Any) -> Totals:
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


def _address_of(memory: memoryview | None) -> Any:
    """For C. Nothing is held: thousands of sessions would cost their weight in views."""
    return ffi.NULL if memory is None else ffi.from_buffer(memory)


def _checked(pointer: Any) -> Any:
    if pointer == ffi.NULL:
        raise MemoryError("the codec has no memory for a session")
    return pointer


class CCodec:
    """See `interface.Codec`."""

    name = "c"

    def sealer(
        self,
        key: bytes,
        peer_index: int,
        key_id: int = 0,
        lane: int = 0,
        memory: memoryview | None = None,
    ) -> CSealer:
        return CSealer(key, peer_index, key_id, lane, memory)

    def opener(
        self,
        key: bytes,
        index: int,
        owned: Owned,
        check: Check,
        lanes: int = 1,
        memory: memoryview | None = None,
    ) -> COpener:
        return COpener(key, index, owned, check, lanes, memory)

    def path(
        self,
        socket: UdpSocket,
        peer: SocketAddress | None,
        local: bytes | None,
        memory: memoryview | None = None,
    ) -> CPath:
        return CPath(socket, peer, local, memory)

    def intake(self) -> CIntake:
        return CIntake()

    def frames(self) -> CFrames:
        return CFrames()

    def outbox(self) -> COutbox:
        return COutbox()

    def inbox(self, *, udp_offload: bool) -> CInbox:
        return CInbox(udp_offload=udp_offload)
