"""What a session is made of, as values: enough to make it again after this process. Pure."""

from __future__ import annotations

import hashlib
import struct
from dataclasses import dataclass

from nrs.tunnel.handshake import Identity, SessionSecrets, StaticKey
from nrs.tunnel.wire import NONCE_BYTES, Cipher, Claim, KeyMode


@dataclass(frozen=True)
class Record:
    """What a session is made of again; `owner` is the router of an endpoint's session."""

    secrets: SessionSecrets
    mode: KeyMode
    key_print: bytes
    """`key_print` of the configured key that opened it, which itself is not kept here."""
    created: float
    claim: Claim
    owner: str = ""
    addresses: tuple[bytes, ...] = ()
    """Inner addresses of the router, IPv4, IPv6 or both; empty at the router itself."""
    stamp: int = 0
    nonce: bytes = bytes(NONCE_BYTES)
    """Of the HELLO that opened it, at the router."""

    _FIXED = struct.Struct("=dIIBBBB32s32s32sBQ32s")

    def encode(self) -> bytes:
        """Fixed part, owner, addresses, claim."""
        s, owner = self.secrets, self.owner.encode()
        fixed = self._FIXED.pack(
            self.created,
            s.local_index,
            s.peer_index,
            s.key_id,
            s.cipher,
            self.mode,
            len(owner),
            s.send_key,
            s.receive_key,
            self.key_print,
            bool(self.addresses),
            self.stamp,
            self.nonce,
        )
        return fixed + owner + self._packed_addresses() + self.claim.encode()

    def _packed_addresses(self) -> bytes:
        """20 bytes, zeros for one that is absent; nothing at the router itself."""
        if not self.addresses:
            return b""
        sized = {len(address): address for address in self.addresses}
        return sized.get(4, bytes(4)) + sized.get(16, bytes(16))

    @classmethod
    def of(
        cls,
        secrets: SessionSecrets,
        key: StaticKey,
        claim: Claim,
        created: float,
        *,
        identity: Identity | None = None,
        owner: str = "",
        addresses: tuple[bytes, ...] = (),
        stamp: int = 0,
        nonce: bytes = bytes(NONCE_BYTES),
    ) -> Record:
        """What a handshake with the configured `key` has agreed on; `identity`: a router's."""
        printed = key_print(key, identity)
        return cls(secrets, key.mode, printed, created, claim, owner, addresses, stamp, nonce)

    @classmethod
    def decode(cls, data: bytes) -> Record:
        """Raises ValueError for what `encode` does not make."""
        try:
            fixed = cls._FIXED.unpack_from(data)
        except struct.error as error:
            raise ValueError(str(error)) from None
        created, local, peer, key_id, cipher, mode, length, send, receive, printed, *rest = fixed
        has, stamp, nonce = rest
        end = cls._FIXED.size + length
        both = (data[end : end + 4], data[end + 4 : end + 20]) if has else ()
        return cls(
            secrets=SessionSecrets(local, peer, key_id, send, receive, Cipher(cipher)),
            mode=KeyMode(mode),
            key_print=printed,
            created=created,
            claim=Claim.decode(data[end + (20 if has else 0) :]),
            owner=data[cls._FIXED.size : end].decode(),
            addresses=tuple(filter(any, both)),
            stamp=stamp,
            nonce=nonce,
        )


@dataclass(frozen=True)
class Progress:
    """What becomes of a session while it lives; `since` is a router's, in seconds since 1970."""

    confirmed: bool = False
    active: bool = False
    since: float = 0.0


def key_print(key: StaticKey, identity: Identity | None = None) -> bytes:
    """32 bytes that tell one configured key from another and do not tell the key.

    A router's with its identity, which its endpoints have learned with the session.
    """
    who = b"" if identity is None else repr(identity).encode()
    given = bytes((key.mode, key.key_id)) + key.secret + who
    return hashlib.sha256(b"nrs key print" + given).digest()
