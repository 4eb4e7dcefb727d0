"""What the C codec tags and encrypts with (codec/crypto/), bound with cffi."""

from __future__ import annotations

from typing import Any

from _nrs_codec import ffi, lib

from nrs.tunnel.codec.crypto import VARIABLE, Crypto, CryptoError, described, together
from nrs.tunnel.wire import Cipher


class CCrypto:
    """The providers that were found, tried and measured; it outlives what is made with it."""

    def __init__(self, wanted: str | None = None) -> None:
        """All providers may be used where none is `wanted`. Raises CryptoError, MemoryError."""
        made = lib.nrs_crypto_new(ffi.NULL if wanted is None else wanted.encode())
        if made == ffi.NULL:
            raise MemoryError("the codec has no memory for what it tags with")
        self.handle: Any = ffi.gc(made, lib.nrs_crypto_free)
        failed = tuple(self._failed())
        if lib.nrs_crypto_chosen(made, 0) == ffi.NULL:
            raise CryptoError(_why_not(wanted, failed))
        chosen = [lib.nrs_crypto_chosen(made, kind) for kind in range(lib.NRS_KINDS)]
        tags = described([_text(name) for name in chosen])
        aeads = {
            cipher.text: _text(lib.nrs_crypto_chosen_aead(made, cipher))
            for cipher in Cipher
            if cipher
        }
        self.report = Crypto(together(tags, aeads), failed)

    def _failed(self) -> list[str]:
        names: list[str] = []
        while (name := lib.nrs_crypto_failed(self.handle, len(names))) != ffi.NULL:
            names.append(_text(name))
        return names


def _text(name: Any) -> str:
    return str(ffi.string(name).decode())


def _why_not(wanted: str | None, failed: tuple[str, ...]) -> str:
    asked = f"{VARIABLE}={wanted}" if wanted else VARIABLE
    if failed:
        return f"{asked}: {', '.join(failed)}: wrong answers to what is known"
    return f"{asked}: the codec was built without it, or this processor lacks what it needs"
