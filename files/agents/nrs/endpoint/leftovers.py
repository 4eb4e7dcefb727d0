"""What an endpoint that ended by accident has left to the host."""

from __future__ import annotations

from nrs.agent import leftover_forwarding
from nrs.endpoint.agent import NetworkAccessEndpoint
from nrs.system import route
from nrs.system.arp_memory import ArpMemory
from nrs.system.control import socket_path
from nrs.system.network_view import remove_leftovers, set_arp


def remove() -> list[str]:
    """Remove it; a line for each kind that there was. Raises OSError."""
    unit = NetworkAccessEndpoint.UNIT
    count = remove_leftovers(route.ENDPOINT)
    said = [f"{count} routes and rules removed"] if count else []
    said += ArpMemory(socket_path(unit).parent).restore(set_arp)
    return said + leftover_forwarding.turn_off(unit)
