"""What a routing server that was killed has left on its host."""

from __future__ import annotations

from pathlib import Path

from nrs.agent.notes import Notes
from nrs.router.agent import FORWARDING, RoutingServer
from nrs.system import forwarding, nftables, route
from nrs.system.control import socket_path
from nrs.system.network_view import remove_leftovers


def remove() -> list[str]:
    """Remove it, NAT too; a line for other kinds that there were. Raises OSError, NftablesError."""
    count = remove_leftovers(route.ROUTER)
    said = [f"{count} routes removed"] if count else []
    nftables.remove()
    notes = Notes(socket_path(RoutingServer.UNIT).parent)
    changed = [Path(path) for path in notes.get(FORWARDING) or []]
    if changed:
        forwarding.restore(changed)
        said.append("forwarding turned off again")
    notes.clear()
    return said
