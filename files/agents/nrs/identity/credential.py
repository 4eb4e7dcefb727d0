"""What a token says, and whether a service takes it."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from enum import Enum
from typing import Any

CLOCK_SKEW_S = 300.0
"""How far ahead of the service's clock a token may have been issued."""
REPLACEMENT = "nrs token create --role ROLE --id ID --service URL"
"""The command that makes what stands in the place of the shared secret of a deployment."""
_SERIAL = re.compile(r"[0-9a-f]{16}")
_SUBJECT = re.compile(r"[!-~]{1,64}")
_AUDIENCE = re.compile(r"https?://[!-~]{1,260}:[0-9]{1,5}")
_LAST = 253402300800
"""The year 10000."""


class CredentialRefused(Exception):
    """A token is not taken; the text says why, in one line and without the token."""


class Role(Enum):
    """What a token is for. `SERVICE` may only read the list of revocations."""

    OPERATOR = "operator"
    MONITOR = "monitor"
    ROUTER = "router"
    ENDPOINT = "endpoint"
    SERVICE = "service"

    @property
    def is_person(self) -> bool:
        """Whether the token's subject is a name of an operator and its end has to be stated."""
        return self in (Role.OPERATOR, Role.MONITOR)

    @property
    def has_tunnel(self) -> bool:
        """Whether the token may state addresses inside the tunnel."""
        return self in (Role.ROUTER, Role.ENDPOINT)


@dataclass(frozen=True, slots=True)
class Credential:
    """A token that was verified. Times are seconds since the epoch."""

    serial: str
    role: Role
    id: str
    """Of the device or service, or the operator's name."""
    audience: str
    issued: float
    expires: float | None = None
    tun_ipv4: ipaddress.IPv4Address | None = None
    tun_ipv6: ipaddress.IPv6Address | None = None

    def claims(self) -> dict[str, Any]:
        """What the token states (RFC 7519 section 4.1, and `role`, `tun_ipv4`, `tun_ipv6`)."""
        stated = {
            "jti": self.serial,
            "role": self.role.value,
            "sub": self.id,
            "aud": self.audience,
            "iat": self.issued,
            "exp": self.expires,
            "tun_ipv4": None if self.tun_ipv4 is None else str(self.tun_ipv4),
            "tun_ipv6": None if self.tun_ipv6 is None else str(self.tun_ipv6),
        }
        return {name: value for name, value in stated.items() if value is not None}


def judge(credential: Credential, audiences: frozenset[str], now: float) -> None:
    """Whether a verified token is good here and now. Raises CredentialRefused."""
    if credential.audience not in audiences:
        raise CredentialRefused(f"for another service: {credential.audience}")
    if credential.expires is not None and now >= credential.expires:
        raise CredentialRefused(f"expired on {date(credential.expires)}")
    if credential.issued > now + CLOCK_SKEW_S:
        raise CredentialRefused(f"issued on {date(credential.issued)}, later than it is here")


def stated(claims: Mapping[str, Any]) -> Credential:
    """The credential that claims state. Raises CredentialRefused."""
    try:
        role = Role(claims["role"])
        return Credential(
            serial=_matching(_SERIAL, claims["jti"]),
            role=role,
            id=_matching(_SUBJECT, claims["sub"]),
            audience=_matching(_AUDIENCE, claims["aud"]),
            issued=_time(claims["iat"]),
            expires=_time(claims["exp"]) if role.is_person or "exp" in claims else None,
            tun_ipv4=_address4(claims),
            tun_ipv6=_address6(claims),
        )
    except KeyError as error:
        raise CredentialRefused(f"not a token: it has no {error.args[0]}") from None
    except ValueError as error:
        raise CredentialRefused(f"not a token: {error}") from None


def date(seconds: float) -> str:
    """Seconds since the epoch, for people: `2027-01-31 12:00 UTC`."""
    return datetime.fromtimestamp(seconds, timezone.utc).strftime("%Y-%m-%d %H:%M UTC")


def _matching(pattern: re.Pattern[str], value: object) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise ValueError(f"{value!r:.80} is not {pattern.pattern}")
    return value


def _time(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 <= value < _LAST:
        raise ValueError(f"{value!r:.80} is not a time")
    return value


def _address4(claims: Mapping[str, Any]) -> ipaddress.IPv4Address | None:
    text = claims.get("tun_ipv4")
    return None if text is None else ipaddress.IPv4Address(str(text))


def _address6(claims: Mapping[str, Any]) -> ipaddress.IPv6Address | None:
    text = claims.get("tun_ipv6")
    return None if text is None else ipaddress.IPv6Address(str(text))
