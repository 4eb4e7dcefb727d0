"""What protects datagrams: providers of HMAC-SHA256 and AEADs, and what is told of those in use."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

VARIABLE = "NRS_CRYPTO"
LIBCRYPTO = "libcrypto"
IPSEC_MB = "ipsec-mb"
PROVIDERS = (LIBCRYPTO, IPSEC_MB)
_LEAST = (1, 2, 4, 8, 16)
"""Datagrams at a time from which on a kind of call begins, as the C codec's nrs_crypto_chosen."""


class CryptoError(Exception):
    """The provider that NRS_CRYPTO asks for cannot be used, or none can."""


@dataclass(frozen=True)
class Crypto:
    """What a codec tags and encrypts with."""

    used: str
    """For people."""
    failed: tuple[str, ...] = ()
    """Providers that gave a wrong answer to what is known, and are not used."""


def together(tags: str, aeads: Mapping[str, str]) -> str:
    """What tags, and what does each AEAD, as one text; one name where it is the same for all."""
    if all(name == tags for name in aeads.values()):
        return tags
    return "; ".join([tags, *(f"{name} for {cipher}" for cipher, name in aeads.items())])


def described(chosen: Sequence[str]) -> str:
    """The providers of each kind of call as one text: `a for 1 to 3 at a time, b for more`."""
    parts: list[tuple[int, str]] = []
    for least, name in zip(_LEAST, chosen, strict=True):
        if not parts or parts[-1][1] != name:
            parts.append((least, name))
    if len(parts) == 1:
        return parts[0][1]
    texts: list[str] = []
    for (least, name), (after, _) in pairwise(parts):
        span = str(least) if least == after - 1 else f"{least} to {after - 1}"
        texts.append(f"{name} for {span}{'' if texts else ' at a time'}")
    return ", ".join([*texts, f"{parts[-1][1]} for more"])
