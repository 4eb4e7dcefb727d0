"""The deployment's signing key (Ed25519), and the public keys that services check with."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

PUBLIC_MODE = 0o644
_PUBLIC = re.compile(r"-----BEGIN PUBLIC KEY-----.*?-----END PUBLIC KEY-----", re.DOTALL)


class KeyRefused(ValueError):
    """A key cannot be used; the text names the file and what is wrong, never the key."""


def read_private(path: Path) -> Ed25519PrivateKey:
    """The signing key in a file. Raises KeyRefused."""
    try:
        return private_key(_text(path))
    except KeyRefused as error:
        raise KeyRefused(f"{path}: {error}") from None


def private_key(pem: str) -> Ed25519PrivateKey:
    """The signing key that PEM text holds. Raises KeyRefused."""
    try:
        key = serialization.load_pem_private_key(pem.encode(), password=None)
    except (ValueError, TypeError):
        raise KeyRefused("not a private key in PEM, or one with a password") from None
    if not isinstance(key, Ed25519PrivateKey):
        raise KeyRefused("a private key, but not of Ed25519")
    return key


def read_public(path: Path) -> tuple[Ed25519PublicKey, ...]:
    """The public keys in a file, which has several while they change. Raises KeyRefused."""
    try:
        return public_keys(_text(path))
    except KeyRefused as error:
        raise KeyRefused(f"{path}: {error}") from None


def public_keys(pem: str) -> tuple[Ed25519PublicKey, ...]:
    """The public keys that PEM text holds, at least one. Raises KeyRefused."""
    if "PRIVATE KEY" in pem:
        raise KeyRefused("holds a private key, which stays on the control node")
    found = []
    for block in _PUBLIC.findall(pem):
        try:
            key = serialization.load_pem_public_key(block.encode())
        except ValueError:
            raise KeyRefused("a public key in it is damaged") from None
        if not isinstance(key, Ed25519PublicKey):
            raise KeyRefused("a public key in it is not of Ed25519")
        found.append(key)
    if not found:
        raise KeyRefused("no public key in it")
    return tuple(found)


def public_text(keys: Sequence[Ed25519PublicKey]) -> str:
    """Public keys as PEM text, in their order."""
    return "".join(
        key.public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        ).decode()
        for key in keys
    )


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii")
    except OSError as error:
        raise KeyRefused(f"{error.strerror}") from None
    except UnicodeDecodeError:
        raise KeyRefused("not PEM text") from None
