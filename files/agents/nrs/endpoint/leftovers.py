"""What an endpoint that was killed has left on its host."""

from __future__ import annotations

from nrs.endpoint import route_plan
from nrs.system import route
from nrs.system.network_view import remove_leftovers


def remove() -> list[str]:
    """Remove it; a line for what there was. Raises OSError."""
    count = remove_leftovers(route_plan.TABLE, route.ENDPOINT)
    return [f"{count} routes and rules removed"] if count else []
