"""The list of what is no longer accepted: signed, numbered, and never an older one.

Credentials, which services refuse, and tunnels, which routers and endpoints do.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from nrs.identity import revoked_tunnels
from nrs.identity.claims import NotSigned
from nrs.identity.credential import Credential
from nrs.identity.revoked_tunnels import RevokedTunnels
from nrs.identity.signed import Kind, sign, verify

LARGEST = 1_000_000
"""Bytes of a signed list that a service takes: some 25,000 ids or 35,000 serials."""
_NONE = RevokedTunnels().claims()
_LATE_CLOCK_S = 86400.0
"""By how much a service's clock may be late and still see that a credential has ended."""


class RevocationsRefused(Exception):
    """A list is not taken; the text says why."""


class OlderList(RevocationsRefused):
    """It is older than the one in force."""


@dataclass(frozen=True)
class Revocations:
    """One list; number 0 is that of a deployment that has revoked nothing yet."""

    number: int = 0
    serials: frozenset[str] = frozenset()
    issued_before: Mapping[str, float] = field(default_factory=dict)
    """Seconds since the epoch by id: what the id was given before then is revoked."""
    tunnels: RevokedTunnels = field(default_factory=RevokedTunnels)
    names_tunnels: bool = field(default=True, compare=False)
    """False where it was signed by an earlier release, which knows of none."""

    def refuses(self, credential: Credential) -> bool:
        """Whether the credential is revoked."""
        before = self.issued_before.get(credential.id)
        return credential.serial in self.serials or (
            before is not None and credential.issued < before
        )

    def newer(self, than: Revocations) -> bool:
        """Whether this list takes the place of `than`; False where it is the same.

        Raises RevocationsRefused for an older one, for another one of the same number, and for
        one that would have what it does not know of accepted again.
        """
        if self.number < than.number:
            raise OlderList(
                f"list number {self.number} is older than number {than.number}, which is in force"
            )
        if self.number == than.number and self != than:
            raise RevocationsRefused(f"another list of the number {self.number} is in force")
        if self.number > than.number and not self.names_tunnels and than.tunnels.claims() != _NONE:
            raise RevocationsRefused(
                f"list number {self.number} was signed by an earlier release, which says nothing of"
                f" the tunnels that number {than.number}, in force, revokes"
            )
        return self.number > than.number

    def needed(self, issued: Iterable[Credential], now: float) -> Revocations:
        """The list without the serials that refuse nothing any more, as far as `issued` tells.

        These are of credentials that ended long ago, or that are refused by their id.
        """
        gone = {
            one.serial
            for one in issued
            if one.issued < self.issued_before.get(one.id, 0.0)
            or (one.expires is not None and one.expires + _LATE_CLOCK_S < now)
        }
        return replace(self, serials=self.serials - gone)

    def with_serials(self, serials: Sequence[str]) -> Revocations:
        """The next list, with these serials as well."""
        return replace(self, number=self.number + 1, serials=self.serials | frozenset(serials))

    def with_id(self, id: str, issued_before: float) -> Revocations:  # noqa: A002 - a field's name
        """The next list, with what `id` was given before a time, unless that is revoked already."""
        latest = max(issued_before, self.issued_before.get(id, 0.0))
        return replace(
            self, number=self.number + 1, issued_before={**self.issued_before, id: latest}
        )

    def with_tunnels(self, tunnels: RevokedTunnels) -> Revocations:
        """The next list, with these tunnels in the place of those that it has."""
        return replace(self, number=self.number + 1, tunnels=tunnels)


def signed(revocations: Revocations, key: Ed25519PrivateKey) -> str:
    """The list as text under the deployment's signature."""
    claims = {
        "number": revocations.number,
        "serials": sorted(revocations.serials),
        "issued_before": dict(revocations.issued_before),
        **revocations.tunnels.claims(),
    }
    return sign(claims, Kind.REVOCATIONS, key)


def read(text: str, public_keys: Sequence[Ed25519PublicKey]) -> Revocations:
    """The list that `text` is. Raises RevocationsRefused."""
    try:
        claims = verify(text, Kind.REVOCATIONS, public_keys)
    except NotSigned as error:
        raise RevocationsRefused(f"not a list of revocations: {error}") from None
    number: Any = claims.get("number")
    serials: Any = claims.get("serials")
    before: Any = claims.get("issued_before")
    try:
        if not (_is_number(number) and _are_serials(serials) and _are_times(before)):
            raise ValueError
        tunnels = revoked_tunnels.stated(claims)
    except ValueError:
        raise RevocationsRefused(
            "not a list of revocations: its claims are of another form"
        ) from None
    named = not revoked_tunnels.CLAIMS.isdisjoint(claims)
    return Revocations(number, frozenset(serials), before, tunnels, named)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _are_serials(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(serial, str) for serial in value)


def _are_times(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(at, (int, float)) and not isinstance(at, bool) and at >= 0
        for at in value.values()
    )
