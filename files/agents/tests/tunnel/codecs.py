"""Both codecs, and their sealing and opening by themselves: bytes in, bytes out.

An agent has these inside of `carry` only, between the system calls. Here is the same code
without those: the Python codec's own classes, and the C codec's functions bound for the tests.
"""

from __future__ import annotations

import sys
from typing import Any, Protocol

from _nrs_codec import ffi, lib

from nrs.tunnel.codec import load
from nrs.tunnel.codec.c.crypto import CCrypto
from nrs.tunnel.codec.c.inbox import joiner
from nrs.tunnel.codec.carrier import OUTBOX_BYTES, Stop
from nrs.tunnel.codec.crypto import PROVIDERS, CryptoError
from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.codec.python.opening import Assembly, Opened
from nrs.tunnel.codec.python.sealing import Datagrams, Sealed, Send

CODECS: tuple[Codec, Codec] = (load("c"), load("python"))
_INBOX_BYTES = 256 * 1024


def providers_here() -> dict[str, CCrypto]:
    """What this build of the C codec can tag with, by its name."""
    found = {}
    for name in PROVIDERS:
        try:
            found[name] = CCrypto(name)
        except CryptoError:
            assert name != "libcrypto"
    return found


class Sealing(Protocol):
    """Room for datagrams, as `Datagrams`."""

    view: memoryview

    @property
    def sends(self) -> list[Send]: ...

    def clear(self) -> None: ...

    def seal(self, sealer: Any, frames: Any, first: int, end: int) -> Sealed: ...


class Opening(Protocol):
    """Room for frames, as `Assembly`."""

    def open(self, opener: Any, train: memoryview, each: int, start: int, ecn: int) -> Opened: ...

    def take(self) -> list[bytes]:
        """The frames since the last call."""

    def age(self) -> None:
        """A second has passed."""


def sealing(codec: Codec) -> Sealing:
    """Room for datagrams that the codec seals."""
    return Datagrams() if codec.name == "python" else _SealingInC()


def opening(codec: Codec, *, udp_offload: bool = True) -> Opening:
    """Room for frames that the codec opens."""
    made = _OpeningInPython if codec.name == "python" else _OpeningInC
    return made(udp_offload=udp_offload)


def count_from(sealer: Any, sequence: int) -> None:
    """Have a sealer of either codec go on as if it had sealed so many datagrams."""
    if hasattr(sealer, "handle"):
        lib.nrs_sealer_set_sequence(sealer.handle, sequence)
    else:
        sealer.sequence = sequence


class _OpeningInPython(Assembly):
    def age(self) -> None:
        self.joiner.age()

    def take(self) -> list[bytes]:
        frames, self.frames = self.frames, []
        return [b"".join(frame) for frame in frames]


class _SealingInC:
    def __init__(self) -> None:
        self._buffer = bytearray(OUTBOX_BYTES)
        self.view = memoryview(self._buffer)
        self._out: Any = ffi.from_buffer(self._buffer)
        self._sealed: Any = ffi.new("nrs_sealed *")

    def clear(self) -> None:
        self._sealed.count = self._sealed.used = 0

    def seal(self, sealer: Any, frames: Any, first: int, end: int) -> Sealed:
        r = self._sealed
        r.datagrams = r.packets = r.batches = r.batched = r.malformed = r.bytes = r.too_long = 0
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
            too_long=r.too_long,
        )

    @property
    def sends(self) -> list[Send]:
        sends = self._sealed.sends
        return [
            Send(send.offset, send.length, send.each, send.ecn)
            for send in (sends[index] for index in range(self._sealed.count))
        ]


class _OpeningInC:
    def __init__(self, *, udp_offload: bool) -> None:
        self._udp_offload = udp_offload
        self._buffer = bytearray(_INBOX_BYTES)
        self._out: Any = ffi.from_buffer(self._buffer)
        self._opened: Any = ffi.new("nrs_opened *")
        self._joiner: Any = joiner()

    def age(self) -> None:
        lib.nrs_joiner_age(self._joiner)

    def open(self, opener: Any, train: memoryview, each: int, start: int, ecn: int) -> Opened:
        r = self._opened
        r.datagrams = r.authentic = r.newest = r.data = r.packets = r.bytes = r.size = 0
        drops = r.drops
        drops[1] = drops[2] = drops[3] = drops[4] = 0
        lib.nrs_open(
            opener.handle,
            self._joiner,
            ffi.from_buffer(train),
            len(train),
            each,
            start,
            ecn,
            self._udp_offload,
            self._out,
            _INBOX_BYTES,
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

    def take(self) -> list[bytes]:
        result, at = [], 0
        while at < self._opened.used:
            length = int.from_bytes(self._buffer[at : at + 4], sys.byteorder)
            result.append(bytes(self._buffer[at + 4 : at + 4 + length]))
            at += 4 + length
        self._opened.used = 0
        return result
