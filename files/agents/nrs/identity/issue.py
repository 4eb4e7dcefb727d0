"""New credentials and their tokens: what one may state is decided here."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import replace

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from nrs.identity.audience import audience_of
from nrs.identity.credential import Credential, CredentialRefused, Role, stated
from nrs.identity.signed import Kind, sign

_SERIAL_BYTES = 8


class CannotIssue(ValueError):
    """Such a credential is not made; the text says what is missing or too much."""


def credential(
    *,
    role: Role,
    id: str,  # noqa: A002 - the field of a credential
    url: str,
    now: float,
    random: Callable[[int], bytes],
    lifetime: float | None = None,
    tun_ipv4: ipaddress.IPv4Address | None = None,
    tun_ipv6: ipaddress.IPv6Address | None = None,
) -> Credential:
    """A credential of `id` for the service at `url`, that ends `lifetime` seconds from `now`.

    `random` gives as many bytes as it is asked for. Raises CannotIssue.
    """
    if role.is_person and lifetime is None:
        raise CannotIssue(f"a token of the role {role.value} needs an end (expires)")
    if not role.has_tunnel and (tun_ipv4 or tun_ipv6):
        raise CannotIssue(f"a token of the role {role.value} states no tunnel address")
    if lifetime is not None and not lifetime > 0:
        raise CannotIssue("a token ends after it is issued")
    issued = round(now, 3)
    try:
        audience = audience_of(url)
        made = Credential(random(_SERIAL_BYTES).hex(), role, id, audience, issued)
        made = replace(made, expires=None if lifetime is None else issued + lifetime)
        return stated(replace(made, tun_ipv4=tun_ipv4, tun_ipv6=tun_ipv6).claims())
    except (ValueError, CredentialRefused) as error:
        raise CannotIssue(str(error).removeprefix("not a token: ")) from None


def token(of: Credential, key: Ed25519PrivateKey) -> str:
    """The token of a credential, signed with the deployment's key."""
    return sign(of.claims(), Kind.TOKEN, key)
