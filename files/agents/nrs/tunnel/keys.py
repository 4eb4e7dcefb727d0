"""Static keys, the keys of a session, and the tag.

HKDF is RFC 5869 with SHA-256, the tag HMAC-SHA256 (RFC 2104).
"""

from __future__ import annotations

import hashlib
import hmac

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

from nrs.tunnel.wire import Claim

_BLOCK = 64
_INNER = bytes(x ^ 0x36 for x in range(256))
_OUTER = bytes(x ^ 0x5C for x in range(256))
_NO_SALT = bytes(32)
_HELLO_INFO = b"nrs v2 hello"


class TagKey:
    """Computes tags from copied inner and outer hash states, which halves the set-up of HMAC."""

    __slots__ = ("inner", "outer")

    def __init__(self, key: bytes) -> None:
        if len(key) > _BLOCK:
            key = hashlib.sha256(key).digest()
        key = key.ljust(_BLOCK, b"\0")
        self.inner = hashlib.sha256(key.translate(_INNER)).copy
        self.outer = hashlib.sha256(key.translate(_OUTER)).copy

    def tag(self, *parts: bytes | bytearray | memoryview) -> bytes:
        """The 32-byte tag of the parts in a row."""
        inner = self.inner()
        for part in parts:
            inner.update(part)
        outer = self.outer()
        outer.update(inner.digest())
        return outer.digest()

    def verify(self, tag: bytes | memoryview, *parts: bytes | bytearray | memoryview) -> bool:
        """Whether `tag` is the parts' tag, in constant time."""
        return hmac.compare_digest(self.tag(*parts), tag)


def _hkdf(secret: bytes, *, salt: bytes | None, info: bytes, length: int) -> bytes:
    return HKDF(algorithm=SHA256(), length=length, salt=salt, info=info).derive(secret)


def device_key(master: bytes, claim: Claim, epoch: int) -> bytes:
    """The key that opens only what `claim` names: `HKDF(master, claim | epoch)`."""
    info = _device_info(claim.encode(), epoch)
    return _hkdf(master, salt=None, info=info, length=32)


def _device_info(claim: bytes, epoch: int) -> bytes:
    return b"nrs v2 device" + claim + bytes((epoch,))


def hello_key(static: bytes) -> TagKey:
    """The key of HELLO, HELLO_ACK and RETRY tags, made from the PSK or the device key."""
    return TagKey(_hkdf(static, salt=None, info=_HELLO_INFO, length=32))


class DeviceMaster:
    """Makes the hello keys of devices: what they have in common, HKDF's extract, is made once."""

    __slots__ = ("_epoch", "_extract")

    def __init__(self, master: bytes, epoch: int) -> None:
        self._extract = hmac.digest(_NO_SALT, master, "sha256")
        self._epoch = epoch

    def hello_key(self, claim: bytes | memoryview) -> TagKey:
        """`hello_key(device_key(master, claim, epoch))` of an encoded claim."""
        device = _one_block(self._extract, _device_info(bytes(claim), self._epoch))
        return TagKey(_one_block(hmac.digest(_NO_SALT, device, "sha256"), _HELLO_INFO))


def _one_block(extract: bytes, info: bytes) -> bytes:
    """HKDF's expand to 32 bytes (RFC 5869 section 2.3)."""
    return hmac.digest(extract, info + b"\x01", "sha256")


def session_keys(
    static: bytes, shared: bytes, nonces: bytes, transcript: bytes
) -> tuple[bytes, bytes]:
    """The 32-byte keys of (endpoint to router, router to endpoint).

    `shared` is the X25519 result, `nonces` both nonces (endpoint's first) and
    `transcript` the SHA-256 of HELLO and HELLO_ACK without their tags.
    """
    okm = _hkdf(shared + static, salt=nonces, info=b"nrs v2 session" + transcript, length=64)
    return okm[:32], okm[32:]


def succession_key(to_router: bytes, to_endpoint: bytes) -> bytes:
    """The key, 32 bytes, by which a HELLO proves who has the session of these two keys."""
    return _hkdf(to_router + to_endpoint, salt=None, info=b"nrs v2 succession", length=32)
