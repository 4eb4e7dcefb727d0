"""What a signed text says, read without a look at its signature."""

from __future__ import annotations

import base64
import binascii
import json
import re
from typing import Any

COMPACT = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]{86}")


class NotSigned(Exception):
    """The text is not of this kind, or carries no signature of these keys; the text says which."""


def unverified(text: str) -> dict[str, Any]:
    """The claims of a text whatever its kind and signature. Raises NotSigned."""
    if not COMPACT.fullmatch(text):
        raise NotSigned("not a signed text")
    payload = text.split(".")[1]
    try:
        return mapping(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    except binascii.Error:
        raise NotSigned("not a signed text") from None


def mapping(payload: bytes) -> dict[str, Any]:
    """The claims that a payload is. Raises NotSigned."""
    try:
        claims = json.loads(payload)
    except (ValueError, RecursionError):
        raise NotSigned("its claims are not JSON") from None
    if not isinstance(claims, dict):
        raise NotSigned("its claims are not an object")
    return claims
