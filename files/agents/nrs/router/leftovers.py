"""What a routing server that was killed has left on its host."""

from __future__ import annotations

from nrs.agent import leftover_forwarding
from nrs.router.agent import RoutingServer
from nrs.system import nftables, route
from nrs.system.network_view import remove_leftovers


def _remove_routes() -> list[str]:
    count = remove_leftovers(route.ROUTER)
    return [f"{count} routes removed"] if count else []


def _remove_table() -> list[str]:
    nftables.remove()
    return []


def _turn_off_forwarding() -> list[str]:
    return leftover_forwarding.turn_off(RoutingServer.UNIT)


KINDS = (_remove_routes, _remove_table, _turn_off_forwarding)
"""Each removes one kind, whatever becomes of the others: a line where there was any.

OSError, NftablesError.
"""
