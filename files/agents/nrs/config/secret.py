"""Pre-shared keys and what is derived from them: where they may stand, and which are refused."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import PrivateAttr, SecretStr, model_validator
from typing_extensions import Self

from nrs.config import text_file
from nrs.config.types import Section

PSK_BYTES = 32
_PLACEHOLDER = re.compile(
    r"(change|replace|your|example|placeholder|insert|secret|<)", re.IGNORECASE
)
_LEAST_DISTINCT_BYTES = 8
_DERIVED = re.compile(r"[0-9A-Fa-f]{64}")

Decode = Callable[[str], bytes]


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


def decode_device_key(text: str) -> bytes:
    """Decode a device key, 64 hexadecimal digits. Raises ValueError without the key in it."""
    return _derived(text, "device_keys filter")


def decode_router_key(text: str) -> bytes:
    """Decode a router key, 64 hexadecimal digits. Raises ValueError without the key in it."""
    return _derived(text, "router_key filter")


def _derived(text: str, by: str) -> bytes:
    text = text.strip()
    if not _DERIVED.fullmatch(text):
        raise ValueError(
            f"must be 64 hexadecimal digits, found {len(text)} characters;"
            f" it is computed from the PSK by the {by}"
        )
    key = bytes.fromhex(text)
    if len(set(key)) < _LEAST_DISTINCT_BYTES:
        raise ValueError(f"is a placeholder; compute it by the {by}")
    return key


def read_key_file(path: Path, decode: Decode) -> bytes:
    """Read and decode the key in `path`. Raises ValueError that names the file."""
    text = text_file.read(path)
    try:
        return decode(text)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


class KeyedSection(Section):
    """A section that carries `psk`, or `psk_file` in its place."""

    psk: SecretStr | None = None
    psk_file: Path | None = None
    _key: bytes = PrivateAttr(default=b"")

    @model_validator(mode="after")
    def _resolve(self) -> Self:
        _, self._key = self._one_of("psk", "psk_file")
        return self

    def _one_of(self, *fields: str) -> tuple[str, bytes]:
        """The one of `fields` that is given, and its key. Raises ValueError."""
        field = self._given(*fields)
        value = getattr(self, field)
        decode = _DECODERS[field.removeprefix("previous_").removesuffix("_file")]
        if isinstance(value, Path):
            try:
                return field, read_key_file(value, decode)
            except ValueError as error:
                raise ValueError(f"{field}: {error}") from None
        try:
            return field, decode(value.get_secret_value())
        except ValueError as error:
            raise ValueError(f"{field} {error}") from None

    def _given(self, *fields: str) -> str:
        """The one of `fields` that is given. Raises ValueError."""
        given = [field for field in fields if getattr(self, field) is not None]
        if not given:
            raise ValueError(f"needs one of {_listed(fields)}")
        if len(given) > 1:
            raise ValueError(f"takes only one of {_listed(fields)}, found {_listed(given)}")
        return given[0]

    @property
    def key(self) -> bytes:
        """The decoded key, at least 32 bytes."""
        return self._key


_DECODERS: dict[str, Decode] = {
    "psk": decode_psk,
    "device_key": decode_device_key,
    "router_key": decode_router_key,
}
"""By what is held by a field of this name, by one with `_file`, or by that of the key before it."""


def _listed(words: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(words[:-1]), words[-1])))
