"""Who sends a request: tokens that the deployment has signed, or loopback without any."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from nrs.api.access import Caller
from nrs.api.sources import address_of
from nrs.config.types import IPNetwork
from nrs.identity.credential import CredentialRefused, Role
from nrs.identity.revocation_file import RevocationFile
from nrs.identity.revocations import Revocations
from nrs.identity.verifier import Verifier

LOOPBACK_NAMES = frozenset({"localhost", "localhost.localdomain", "ip6-localhost"})
_NOTHING_REVOKED = Revocations()


class Unidentified(Exception):
    """The request is nobody's; the text is that of the 401 answer."""


@dataclass(frozen=True)
class Trust:
    """Whom a service believes. Without `verifier` it serves loopback alone."""

    verifier: Verifier | None = None
    revocations: RevocationFile | None = None
    secret: str | None = None
    """One token for everybody, beside those that are signed while devices change over to them."""
    readers: Sequence[IPNetwork] = ()
    """Networks that read without a token."""
    refused: Sequence[IPNetwork] = ()
    """Networks that are told nothing at all."""
    names: frozenset[str] = field(default=LOOPBACK_NAMES)
    """What the service is called in URLs, in lower case; it has its addresses besides."""

    def identify(
        self, *, authorization: str | None, remote: str | None, reading: bool, now: float
    ) -> Caller:
        """The caller; `now` is wall time. Raises Unidentified.

        A request that states a token is judged by that token alone, so that a wrong one is
        refused from a network of readers too.
        """
        if authorization is not None:
            scheme, _, stated = authorization.partition(" ")
            if scheme.lower() != "bearer":
                raise Unidentified("a bearer token is required")
            return self._bearer(stated.strip(), now)
        address = address_of(remote)
        if self.verifier is None:
            if address is not None and address.is_loopback:
                return Caller(Role.OPERATOR)
            raise Unidentified("this service has no api.signers_file and serves loopback only")
        if reading and address is not None and any(address in network for network in self.readers):
            return Caller(Role.MONITOR)
        raise Unidentified("a bearer token is required")

    def serves_as(self, host: str) -> bool:
        """Whether a request for this host, as `Host` has it, is meant for the service.

        An address is: a name that an attacker points here has to be stated as the name.
        """
        name = host.lower()
        if name.startswith("["):
            return True
        name = name.partition(":")[0]
        return name in self.names or name.replace(".", "").isdecimal()

    def _bearer(self, token: str, now: float) -> Caller:
        if self.verifier is None:
            raise Unidentified(
                "the bearer token is not valid: this service has no api.signers_file"
            )
        if self.secret is not None and hmac.compare_digest(token.encode(), self.secret.encode()):
            return Caller(Role.OPERATOR)
        revoked = _NOTHING_REVOKED if self.revocations is None else self.revocations.in_force
        try:
            credential = self.verifier.check(token, revoked, now)
        except CredentialRefused as error:
            raise Unidentified(f"the bearer token is not valid: {error}") from None
        return Caller(credential.role, credential)
