"""Tokens that the deployment has not signed."""

from __future__ import annotations

import base64
import hmac
import json
import time
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from nrs.identity.audience import audience_of
from nrs.identity.claims import unverified

_TYPE = "nrs-token+jwt"


def operators(url: str, secrets: dict[str, bytes]) -> dict[str, str]:
    """Tokens of an operator for `url`, by how they are signed; `secrets` by what they are."""
    payload = _operator(url)
    signed = _head("EdDSA") + b"." + payload
    own = Ed25519PrivateKey.generate().sign(signed)
    made = {
        "a token signed with a key of its own": _joined(signed, own),
        "a token without a signature": _joined(_head("none") + b"." + payload, b""),
        "a token with an empty signature": _joined(_head("none") + b"." + payload, bytes(64)),
    }
    for what, secret in secrets.items():
        text = _head("HS256") + b"." + payload
        made[f"a token sealed with {what}"] = _joined(text, hmac.digest(secret, text, "sha256"))
    return made


def changed(token: str, **claims: Any) -> str:
    """A token that says something else under the signature that it has."""
    head, _, signature = token.split(".")
    return f"{head}.{_encoded({**unverified(token), **claims}).decode()}.{signature}"


def _operator(url: str) -> bytes:
    now = time.time()
    claims = {"jti": "0" * 16, "role": "operator", "sub": "ann", "aud": audience_of(url)}
    return _encoded({**claims, "iat": now - 1, "exp": now + 3600})


def _head(algorithm: str) -> bytes:
    return _encoded({"alg": algorithm, "typ": _TYPE})


def _encoded(what: Any) -> bytes:
    return base64.urlsafe_b64encode(json.dumps(what).encode()).rstrip(b"=")


def _joined(text: bytes, signature: bytes) -> str:
    return f"{text.decode()}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"
