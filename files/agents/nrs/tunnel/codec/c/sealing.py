"""The ends of a session in the C codec (codec/nrs_codec.c), bound with cffi."""

from __future__ import annotations

from typing import Any

from _nrs_codec import ffi, lib

from nrs.tunnel.codec.c.crypto import CCrypto
from nrs.tunnel.codec.sealing import Check
from nrs.tunnel.inner import Owned
from nrs.tunnel.wire import Cipher, Type


class CSealer:
    """See `codec.sealing.Sealer`."""

    __slots__ = ("_crypto", "_overhead", "handle", "peer_index")

    def __init__(
        self,
        crypto: CCrypto,
        key: bytes,
        peer_index: int,
        key_id: int = 0,
        lane: int = 0,
        memory: memoryview | None = None,
        cipher: Cipher = Cipher.NONE,
    ) -> None:
        self._crypto = crypto
        self._overhead = cipher.overhead
        self.peer_index = peer_index
        made = lib.nrs_sealer_new(
            crypto.handle, cipher, key, peer_index, key_id, lane, address_of(memory)
        )
        self.handle: Any = ffi.gc(_checked(made), lib.nrs_sealer_free)

    @property
    def sequence(self) -> int:
        return int(lib.nrs_sealer_sequence(self.handle))

    def limit(self, body: int, *, settled: bool) -> None:
        lib.nrs_sealer_limit(self.handle, body, settled)

    def control(self, kind: Type, body: bytes = b"", *, flags: int = 0, specific: int = 0) -> bytes:
        out = bytearray(self._overhead + len(body))
        lib.nrs_seal_control(
            self.handle, kind, flags, specific, body, len(body), ffi.from_buffer(out)
        )
        return bytes(out)


class COpener:
    """See `codec.sealing.Opener`."""

    __slots__ = ("_crypto", "handle")

    def __init__(
        self,
        crypto: CCrypto,
        key: bytes,
        index: int,
        owned: Owned,
        check: Check,
        lanes: int = 1,
        memory: memoryview | None = None,
        cipher: Cipher = Cipher.NONE,
    ) -> None:
        self._crypto = crypto
        made = lib.nrs_opener_new(
            crypto.handle, cipher, key, index, lanes, check, address_of(memory)
        )
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


def address_of(memory: memoryview | None) -> Any:
    """For C. Nothing is held: thousands of sessions would cost their weight in views."""
    return ffi.NULL if memory is None else ffi.from_buffer(memory)


def _checked(pointer: Any) -> Any:
    if pointer == ffi.NULL:
        raise MemoryError("the codec has no memory for a session")
    return pointer
