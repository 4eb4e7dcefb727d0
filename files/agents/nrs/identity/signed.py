"""Claims under the deployment's signature: a JWT (RFC 7519), by Ed25519 (RFC 8037) alone."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from nrs.identity.claims import COMPACT, NotSigned, mapping

_ALGORITHM = "EdDSA"


class Kind(Enum):
    """What is signed, as the header's `typ` (RFC 8725 section 3.11): none is read as another."""

    TOKEN = "nrs-token+jwt"  # noqa: S105 - a media type, not a secret  # nosec B105
    REVOCATIONS = "nrs-revocations+jwt"


def sign(claims: Mapping[str, Any], kind: Kind, key: Ed25519PrivateKey) -> str:
    """The claims as compact text, signed."""
    payload = json.dumps(claims, separators=(",", ":"), sort_keys=True).encode()
    return jwt.PyJWS().encode(payload, key, _ALGORITHM, {"typ": kind.value})


def verify(text: str, kind: Kind, keys: Sequence[Ed25519PublicKey]) -> dict[str, Any]:
    """The claims that one of `keys` has signed as `kind`. Raises NotSigned."""
    if not COMPACT.fullmatch(text):
        raise NotSigned("not a signed text")
    for key in keys:
        try:
            opened = jwt.PyJWS().decode_complete(text, key, [_ALGORITHM])
        except jwt.InvalidTokenError:
            continue
        if opened["header"].get("typ") != kind.value:
            raise NotSigned(f"not of the type {kind.value}")
        return mapping(opened["payload"])
    raise NotSigned("not signed by this deployment")
