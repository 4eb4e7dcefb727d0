"""Which inner addresses an endpoint may claim at this routing server. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from nrs.config.types import IPAddress, IPNetwork
from nrs.tunnel.wire import Claim


def refusal(claim: Claim, *, networks: Sequence[IPNetwork], own: Sequence[IPAddress]) -> str | None:
    """Why the claim is refused, or None.

    Everything claimed has to lie in `networks` (`tunnel.endpoint_networks`) and may
    not be, or hold, an address of the router's `own`.
    """
    for address in claim.addresses:
        if not any(address in network for network in networks):
            return f"{address} is outside of tunnel.endpoint_networks"
        if address in own:
            return f"{address} is an address of this router"
    for prefix in claim.prefixes:
        if not any(
            prefix.network_address in network and prefix.prefixlen >= network.prefixlen
            for network in networks
        ):
            return f"{prefix} is outside of tunnel.endpoint_networks"
        for address in own:
            if address in prefix:
                return f"{prefix} holds {address}, an address of this router"
    return None
