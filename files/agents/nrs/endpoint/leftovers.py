"""What an endpoint that ended by accident has left to the host."""

from __future__ import annotations

from nrs.agent import leftover_forwarding
from nrs.endpoint.agent import NetworkAccessEndpoint
from nrs.system import route
from nrs.system.arp_memory import ArpMemory
from nrs.system.control import socket_path
from nrs.system.network_view import remove_leftovers, set_arp

_UNIT = NetworkAccessEndpoint.UNIT


def _remove_routes() -> list[str]:
    count = remove_leftovers(route.ENDPOINT)
    return [f"{count} routes and rules removed"] if count else []


def _restore_arp() -> list[str]:
    return ArpMemory(socket_path(_UNIT).parent).restore(set_arp)


def _turn_off_forwarding() -> list[str]:
    return leftover_forwarding.turn_off(_UNIT)


KINDS = (_remove_routes, _restore_arp, _turn_off_forwarding)
"""Each removes one kind, whatever becomes of the others: a line where there was any. OSError."""
