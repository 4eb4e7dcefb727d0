"""Frames read from a TUN device."""

from __future__ import annotations

import os

from nrs.tunnel import inner, virtio
from nrs.tunnel.codec.carrier import FRAMES_BYTES, MOST_FRAMES
from nrs.tunnel.inner import TCP

_VNET = virtio.HEADER_BYTES
_LARGEST_FRAME = 65_546


class PythonFrames:
    """See `codec.carrier.Frames`."""

    def __init__(self) -> None:
        self.count = 0
        self._arena = bytearray(FRAMES_BYTES)
        self.view = memoryview(self._arena)
        self.offsets: list[int] = []
        self.lengths: list[int] = []

    def read(self, fd: int) -> bool:
        more = True
        used = 0
        offsets: list[int] = []
        lengths: list[int] = []
        view = self.view
        try:
            while len(offsets) < MOST_FRAMES and FRAMES_BYTES - used >= _LARGEST_FRAME:
                length = os.readv(fd, [view[used:]])
                if length == 0:
                    more = False
                    break
                offsets.append(used)
                lengths.append(length)
                used += length
        except BlockingIOError:
            more = False
        self.offsets, self.lengths, self.count = offsets, lengths, len(offsets)
        return more

    def load(self, frames: list[bytes]) -> None:
        used = 0
        self.offsets, self.lengths = [], []
        for frame in frames:
            self.view[used : used + len(frame)] = frame
            self.offsets.append(used)
            self.lengths.append(len(frame))
            used += len(frame)
        self.count = len(frames)

    def copied_but_tcp(self, first: int, end: int) -> list[bytes]:
        view = self.view
        return [
            bytes(view[offset : offset + length])
            for offset, length in zip(self.offsets[first:end], self.lengths[first:end], strict=True)
            if not inner.is_tcp(view, offset + _VNET)
        ]

    def packet(self, index: int) -> bytes:
        return bytes(self._packet(index))

    def flow(self, first: int) -> tuple[int, bytes, int]:
        key, end, flags = inner.flow_key(self._packet(first)), self._group(first), 0
        if key and key[0] == TCP:
            for index in range(first, end):
                flags |= inner.tcp_flags(self._packet(index))
        return end, key, flags

    def _packet(self, index: int) -> memoryview:
        offset = self.offsets[index]
        return self.view[offset + _VNET : offset + max(self.lengths[index], _VNET)]

    def _group(self, first: int) -> int:
        offsets, lengths, arena = self.offsets, self.lengths, self._arena
        if lengths[first] < _VNET or arena[offsets[first] + 1]:
            return first + 1
        key = _flow(self._packet(first))
        end = first + 1
        while end < self.count and lengths[end] >= _VNET and not arena[offsets[end] + 1]:
            if key is None or _flow(self._packet(end)) != key:
                break
            end += 1
        return end


def _flow(packet: memoryview) -> bytes | None:
    """Addresses, protocol and ports: what may be sent, and later moved, together."""
    version = inner.version(packet)
    if not version:
        return None
    addresses = packet[12:20] if version == 4 else packet[8:40]
    protocol, start = inner.transport(packet)
    ports = packet[start : start + 4] if protocol and start + 4 <= len(packet) else b""
    return bytes((protocol,)) + bytes(addresses) + bytes(ports)
