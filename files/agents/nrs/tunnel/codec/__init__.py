"""Seal and open whole super-packets: one codec in C, one in Python, chosen at start."""

from __future__ import annotations

import os

from nrs.tunnel.codec import python
from nrs.tunnel.codec.interface import Codec

VARIABLE = "NRS_CODEC"


class CodecError(Exception):
    """The codec that NRS_CODEC asks for cannot be used."""


def load(wanted: str | None = None) -> Codec:
    """The C codec where it can be loaded, else Python's; `NRS_CODEC=python|c` forces one.

    Raises CodecError.
    """
    wanted = wanted or os.environ.get(VARIABLE) or None
    if wanted not in {None, "python", "c"}:
        raise CodecError(f"{VARIABLE}: found {wanted!r}; allowed: python, c")
    if wanted != "python":
        try:
            from nrs.tunnel.codec import c  # noqa: PLC0415 - it may not be built
        except ImportError as error:
            if wanted == "c":
                raise CodecError(f"{VARIABLE}=c: the C codec cannot be loaded: {error}") from None
        else:
            return c.CODEC
    return python.CODEC
