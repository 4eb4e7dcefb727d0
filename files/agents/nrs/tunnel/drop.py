"""Why a datagram or packet was not carried."""

from __future__ import annotations

from enum import Enum


class Drop(Enum):
    """As counted in status and metrics."""

    TAG = "tag"
    REPLAY = "replay"
    SOURCE = "source"
    MALFORMED = "malformed"
    NO_SESSION = "no_session"
    RATE = "rate"
    FULL = "full"
    TOO_LONG = "too_long"
    REVOKED = "revoked"
