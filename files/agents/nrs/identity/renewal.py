"""Whether the tokens that a device holds are those that the deployment wants it to have."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from nrs.identity.credential import Credential, Role
from nrs.identity.revocations import Revocations


@dataclass(frozen=True)
class Wanted:
    """What each token of a device is to state, and for which services there is to be one."""

    role: Role
    id: str
    audiences: tuple[str, ...]
    tun_ipv4: ipaddress.IPv4Address | None = None
    tun_ipv6: ipaddress.IPv6Address | None = None


def lacks(
    wanted: Wanted,
    held: Sequence[Credential],
    revocations: Revocations,
    now: float,
    renew_after: float,
) -> list[str]:
    """Why `held` has to be replaced, a line each; none where all is well.

    `held` has the tokens that the signing key of the present has signed; `renew_after` is the age
    in seconds at which one is made anew.
    """
    found = {credential.audience: credential for credential in held}
    surplus = sorted(found.keys() - set(wanted.audiences))
    reasons = [f"{audience}: not a service that it calls" for audience in surplus]
    for audience in wanted.audiences:
        credential = found.get(audience)
        if credential is None:
            reasons.append(f"{audience}: no token of the present signing key")
        elif not _states(credential, wanted):
            reasons.append(f"{audience}: for another role, id or address")
        elif revocations.refuses(credential):
            reasons.append(f"{audience}: revoked")
        elif credential.expires is not None and now >= credential.expires:
            reasons.append(f"{audience}: expired")
        elif now - credential.issued >= renew_after:
            reasons.append(f"{audience}: {int((now - credential.issued) // 86400)} days old")
    return reasons


def _states(credential: Credential, wanted: Wanted) -> bool:
    return (credential.role, credential.id, credential.tun_ipv4, credential.tun_ipv6) == (
        wanted.role,
        wanted.id,
        wanted.tun_ipv4,
        wanted.tun_ipv6,
    )
