"""The key of a router's own, as who deploys makes it (docs/PROTOCOL.md, section 3)."""

from __future__ import annotations

from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF


def own_key(master: bytes, router_id: str, epoch: int) -> bytes:
    """32 bytes that take the master's place at one router."""
    info = b"nrs v2 router" + router_id.encode() + bytes((epoch,))
    return HKDF(algorithm=SHA256(), length=32, salt=None, info=info).derive(master)
