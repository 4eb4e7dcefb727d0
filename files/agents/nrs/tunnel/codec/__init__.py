"""Seal and open whole super-packets: one codec in C, one in Python, chosen at start."""

from __future__ import annotations

import os
from collections.abc import Collection

from nrs.tunnel.codec import python
from nrs.tunnel.codec.crypto import IPSEC_MB, PROVIDERS, CryptoError
from nrs.tunnel.codec.crypto import VARIABLE as CRYPTO
from nrs.tunnel.codec.interface import Codec

VARIABLE = "NRS_CODEC"


class CodecError(Exception):
    """The codec or crypto provider that the environment asks for cannot be used."""


def load(wanted: str | None = None) -> Codec:
    """The C codec where it can be loaded, else Python's; `NRS_CODEC=python|c` forces one.

    It tags with what this processor does fastest; `NRS_CRYPTO=libcrypto|ipsec-mb` forces one.

    Raises CodecError.
    """
    wanted = _one_of(VARIABLE, wanted or os.environ.get(VARIABLE), ("python", "c"))
    provider = _one_of(CRYPTO, os.environ.get(CRYPTO), PROVIDERS)
    if wanted != "python":
        try:
            from nrs.tunnel.codec import c  # noqa: PLC0415 - it may not be built
            from nrs.tunnel.codec.c.crypto import CCrypto  # noqa: PLC0415
        except ImportError as error:
            if wanted == "c":
                raise CodecError(f"{VARIABLE}=c: the C codec cannot be loaded: {error}") from None
        else:
            try:
                return c.family(CCrypto(provider))
            except CryptoError as error:
                raise CodecError(str(error)) from None
    if provider == IPSEC_MB:
        raise CodecError(f"{CRYPTO}={IPSEC_MB}: the codec in Python has none but libcrypto")
    return python.CODEC


def _one_of(variable: str, value: str | None, allowed: Collection[str]) -> str | None:
    if value and value not in allowed:
        raise CodecError(f"{variable}: found {value!r}; allowed: {', '.join(allowed)}")
    return value or None
