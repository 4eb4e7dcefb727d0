"""The control command `events`: a page of the switches of an endpoint."""

from __future__ import annotations

from typing import Any

from nrs.endpoint.events import SwitchLog

MOST_EVENTS = 50
"""In one answer: 50 of 16 tunnels each are 4 ms in which the packet loop cannot run."""


def answer(switches: SwitchLog, request: dict[str, Any]) -> dict[str, Any]:
    """`count` switches, oldest first: the first ones after `since`, or else the last ones.

    `last` of the answer is the number of the newest switch of all, 0 before the first.
    Raises ValueError.
    """
    count = min(_whole(request, "count", MOST_EVENTS), MOST_EVENTS)
    newest = switches.last(1)
    if request.get("since") is None:
        page = switches.last(count)
    else:
        page = switches.since(_whole(request, "since", 0))[:count]
    return {
        "events": [switch.as_dict() for switch in page],
        "last": newest[0].number if newest else 0,
    }


def _whole(request: dict[str, Any], field: str, default: int) -> int:
    value = request.get(field)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError(f"{field}: {value!r} is not a whole number from 0")
    return value
