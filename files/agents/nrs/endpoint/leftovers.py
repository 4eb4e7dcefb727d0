"""What an endpoint that was killed has left on its host."""

from __future__ import annotations

from nrs.agent import leftover_forwarding
from nrs.endpoint import route_plan
from nrs.endpoint.agent import NetworkAccessEndpoint
from nrs.system import route
from nrs.system.network_view import remove_leftovers


def remove() -> list[str]:
    """Remove it; a line for each kind that there was. Raises OSError."""
    count = remove_leftovers(route_plan.TABLE, route.ENDPOINT)
    said = [f"{count} routes and rules removed"] if count else []
    return said + leftover_forwarding.turn_off(NetworkAccessEndpoint.UNIT)
