"""Pre-shared keys: where they may stand in a file, and which are refused."""

from __future__ import annotations

import base64
import binascii
import re
from pathlib import Path

from pydantic import Field, PrivateAttr, SecretStr, model_validator
from typing_extensions import Self

from nrs.config.types import Section

PSK_BYTES = 32
_PLACEHOLDER = re.compile(
    r"(change|replace|your|example|placeholder|insert|secret|<)", re.IGNORECASE
)
_LEAST_DISTINCT_BYTES = 8


def decode_psk(text: str) -> bytes:
    """Decode a base64 PSK (standard or URL-safe alphabet).

    Raises ValueError when it is a placeholder, is not base64, or decodes to
    fewer than 32 bytes. The message never holds the key.
    """
    text = text.strip()
    if _PLACEHOLDER.match(text):
        raise ValueError("is a placeholder; generate a key with: openssl rand -base64 32")
    try:
        key = base64.b64decode(text.replace("-", "+").replace("_", "/"), validate=True)
    except (binascii.Error, ValueError):
        raise ValueError("is not base64; generate a key with: openssl rand -base64 32") from None
    if len(key) < PSK_BYTES:
        raise ValueError(
            f"decodes to {len(key)} bytes and must have at least {PSK_BYTES};"
            " generate a key with: openssl rand -base64 32"
        )
    if len(set(key)) < _LEAST_DISTINCT_BYTES:
        raise ValueError("is a placeholder; generate a key with: openssl rand -base64 32")
    return key


def read_psk_file(path: Path) -> bytes:
    """Read and decode the PSK in `path`. Raises ValueError that names the file."""
    try:
        text = path.read_text(encoding="ascii")
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not base64 text") from None
    try:
        return decode_psk(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


class KeyedSection(Section):
    """A section that carries `psk`, or `psk_file` in its place."""

    psk: SecretStr | None = Field(default=None)
    psk_file: Path | None = Field(default=None)
    _key: bytes = PrivateAttr(default=b"")

    @model_validator(mode="after")
    def _resolve(self) -> Self:
        if (self.psk is None) == (self.psk_file is None):
            raise ValueError("needs exactly one of psk and psk_file")
        if self.psk is not None:
            try:
                self._key = decode_psk(self.psk.get_secret_value())
            except ValueError as error:
                raise ValueError(f"psk {error}") from None
        elif self.psk_file is not None:
            self._key = read_psk_file(self.psk_file)
        return self

    @property
    def key(self) -> bytes:
        """The decoded key, at least 32 bytes."""
        return self._key
