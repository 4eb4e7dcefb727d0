"""What an endpoint that was killed has left on its host."""

from __future__ import annotations

from nrs.system import route
from nrs.system.arp_memory import ArpMemory
from nrs.system.control import socket_path
from nrs.system.network_view import remove_leftovers, set_arp

_UNIT = "network_access_endpoint"


def remove() -> list[str]:
    """Remove it; a line for what there was. Raises OSError."""
    count = remove_leftovers(route.ENDPOINT)
    said = [f"{count} routes and rules removed"] if count else []
    return said + ArpMemory(socket_path(_UNIT).parent).restore(set_arp)
