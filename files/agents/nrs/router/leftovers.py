"""What a routing server that was killed has left on its host."""

from __future__ import annotations

from nrs.agent import leftover_forwarding
from nrs.router.agent import RoutingServer
from nrs.system import nftables, route
from nrs.system.network_view import remove_leftovers


def remove() -> list[str]:
    """Remove it, NAT too; a line for other kinds that there were. Raises OSError, NftablesError."""
    count = remove_leftovers(route.ROUTER)
    said = [f"{count} routes removed"] if count else []
    nftables.remove()
    return said + leftover_forwarding.turn_off(RoutingServer.UNIT)
