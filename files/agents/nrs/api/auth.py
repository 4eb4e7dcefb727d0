"""Who may call an API: bearer tokens, and trusted networks for reading."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from enum import Enum

from nrs.api.sources import address_of
from nrs.config.types import IPNetwork


class Access(Enum):
    """The outcome of a check; the value is the text of the 401 answer."""

    GRANTED = ""
    NO_TOKEN = "a bearer token is required"  # noqa: S105 - a message, not a secret  # nosec B105
    WRONG_TOKEN = "the bearer token is not valid"  # noqa: S105 - a message, not a secret  # nosec B105
    UNCONFIGURED = (
        "this service has no token configured and serves loopback only: set api.token_file"
    )


def check(
    *,
    authorization: str | None,
    remote: str | None,
    reading: bool,
    token: str | None,
    trusted: Sequence[IPNetwork],
) -> Access:
    """Decide on one request.

    A request that states a token is judged by that token alone, so that a wrong
    one is refused from a trusted network too. Where no token is configured,
    loopback may read and write, and nobody else anything.
    """
    if authorization is not None:
        scheme, _, stated = authorization.partition(" ")
        good = token is not None and hmac.compare_digest(stated.strip().encode(), token.encode())
        return Access.GRANTED if good and scheme.lower() == "bearer" else Access.WRONG_TOKEN
    address = address_of(remote)
    if token is None:
        local = address is not None and address.is_loopback
        return Access.GRANTED if local else Access.UNCONFIGURED
    if reading and address is not None and any(address in network for network in trusted):
        return Access.GRANTED
    return Access.NO_TOKEN
