"""What encrypts one direction of a session: AES-256-GCM (NIST SP 800-38D), ChaCha20-Poly1305."""

from __future__ import annotations

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from nrs.tunnel.inner import Packet
from nrs.tunnel.wire import HEADER_BYTES, Cipher, aead_nonce


class Aead:
    """An AEAD under one key; a datagram's header is its associated data."""

    __slots__ = ("_decrypt", "_encrypt")

    def __init__(self, cipher: Cipher, key: bytes) -> None:
        made = AESGCM(key) if cipher is Cipher.AES_256_GCM else ChaCha20Poly1305(key)
        self._encrypt, self._decrypt = made.encrypt, made.decrypt

    @classmethod
    def of(cls, cipher: Cipher, key: bytes) -> Aead | None:
        """None for a cipher that encrypts nothing."""
        return cls(cipher, key) if cipher else None

    def seal(self, header: bytes, body: Packet) -> bytes:
        """The datagram."""
        return header + self._encrypt(_nonce(header), body, header)

    def open(self, datagram: memoryview) -> bool:
        """Decrypt the body of a datagram where it stands; False, and nothing is, for a bad tag."""
        header, sealed = datagram[:HEADER_BYTES], datagram[HEADER_BYTES:]
        try:
            body = self._decrypt(_nonce(header), sealed, header)
        except InvalidTag:
            return False
        sealed[: len(body)] = body
        return True


def _nonce(header: bytes | memoryview) -> bytes:
    return aead_nonce(header[3], int.from_bytes(header[8:16], "big"))
