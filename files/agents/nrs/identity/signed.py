"""Claims under the deployment's signature: a JWT (RFC 7519), by Ed25519 (RFC 8037) alone."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

_ALGORITHM = "EdDSA"
_COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}")


class Kind(Enum):
    """What is signed, as the header's `typ` (RFC 8725 section 3.11): none is read as another."""

    TOKEN = "nrs-token+jwt"  # noqa: S105 - a media type, not a secret
    REVOCATIONS = "nrs-revocations+jwt"


class NotSigned(Exception):
    """The text is not of this kind, or carries no signature of these keys; the text says which."""


def sign(claims: Mapping[str, Any], kind: Kind, key: Ed25519PrivateKey) -> str:
    """The claims as compact text, signed."""
    payload = json.dumps(claims, separators=(",", ":"), sort_keys=True).encode()
    return jwt.PyJWS().encode(payload, key, _ALGORITHM, {"typ": kind.value})


def verify(text: str, kind: Kind, keys: Sequence[Ed25519PublicKey]) -> dict[str, Any]:
    """The claims that one of `keys` has signed as `kind`. Raises NotSigned."""
    if not _COMPACT.fullmatch(text):
        raise NotSigned("not a signed text")
    for key in keys:
        try:
            opened = jwt.PyJWS().decode_complete(text, key, [_ALGORITHM])
        except jwt.InvalidTokenError:
            continue
        if opened["header"].get("typ") != kind.value:
            raise NotSigned(f"not of the type {kind.value}")
        return _mapping(opened["payload"])
    raise NotSigned("not signed by this deployment")


def unverified(text: str) -> dict[str, Any]:
    """The claims of a text whatever its kind and signature. Raises NotSigned."""
    if not _COMPACT.fullmatch(text):
        raise NotSigned("not a signed text")
    try:
        opened = jwt.PyJWS().decode_complete(text, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise NotSigned("not a signed text") from None
    return _mapping(opened["payload"])


def _mapping(payload: bytes) -> dict[str, Any]:
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError):
        raise NotSigned("its claims are not JSON") from None
    if not isinstance(claims, dict):
        raise NotSigned("its claims are not an object")
    return claims
