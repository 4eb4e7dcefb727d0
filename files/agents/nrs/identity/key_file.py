"""The deployment's signing key as a file, which is made once."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from nrs.identity import whole_file
from nrs.identity.keys import KeyRefused


def create(path: Path) -> Ed25519PrivateKey:
    """Make a signing key in a file that is not there. Raises KeyRefused."""
    key = Ed25519PrivateKey.generate()
    text = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    try:
        whole_file.create(path, text)
    except FileExistsError:
        raise KeyRefused(f"{path} is there already, and a key is never replaced") from None
    except OSError as error:
        raise KeyRefused(f"{path}: {error.strerror}") from None
    return key
