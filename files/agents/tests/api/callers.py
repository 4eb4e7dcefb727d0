"""A deployment in a test: its key, its tokens, and what services make of them."""

from __future__ import annotations

from ipaddress import IPv4Address

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from nrs.api.auth import Trust
from nrs.config.service_api import LOOPBACK
from nrs.identity import issue
from nrs.identity.credential import Credential, Role
from nrs.identity.verifier import Verifier

URL = "http://localhost:80"
NOW = 1_800_000_000.0
_KEY = Ed25519PrivateKey.generate()
_serials = iter(range(1, 2**32))


def shared(secret: str) -> Trust:
    """A service whose callers change over from the secret that they share; loopback reads."""
    return Trust(verifier=signed().verifier, secret=secret, readers=LOOPBACK)


def signed(*, key: Ed25519PrivateKey = _KEY, url: str = URL) -> Trust:
    """A service that takes the deployment's tokens."""
    return Trust(verifier=Verifier([key.public_key()], [url]))


def credential(role: Role, id: str, *, url: str = URL, tun_ipv4: str | None = None) -> Credential:  # noqa: A002
    """One that was issued now, for an hour."""
    return issue.credential(
        role=role,
        id=id,
        url=url,
        now=NOW,
        random=lambda size: next(_serials).to_bytes(size, "big"),
        lifetime=3600.0,
        tun_ipv4=None if tun_ipv4 is None else IPv4Address(tun_ipv4),
    )


def bearer(of: Credential, key: Ed25519PrivateKey = _KEY) -> dict[str, str]:
    """The header that states it."""
    return {"Authorization": f"Bearer {issue.token(of, key)}"}


def as_(role: Role, id: str, **more: str) -> dict[str, str]:  # noqa: A002
    """The header of a token for `id`."""
    return bearer(credential(role, id, **more))
