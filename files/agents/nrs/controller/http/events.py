"""The moves of traffic that endpoints tell of."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask

from nrs.api.access import Access, devices
from nrs.api.messages import EventReport
from nrs.api.operation import Operation, takes
from nrs.controller.events import Events
from nrs.controller.http import answers
from nrs.controller.http.queries import EventsQuery
from nrs.controller.http.refusals import UNKNOWN
from nrs.identity.credential import Role

_POST = Operation(
    "Moves of an endpoint's traffic; repeating them changes nothing",
    answers.EventsTaken,
    body=EventReport,
    access=devices("device_id", Role.ENDPOINT),
    refused=UNKNOWN,
)
_READ = Operation(
    "The moves that arrived last, oldest first",
    answers.Events,
    query=EventsQuery,
    # An endpoint asks which of its own have arrived, after a restart of either side.
    access=Access(frozenset({Role.MONITOR, Role.ENDPOINT}), "device_id"),
    refused=UNKNOWN,
)


def add_routes(app: Flask, events: Events, clock: Callable[[], float]) -> None:
    """Answer `/events` from `events`; `clock` gives seconds since the epoch."""

    @app.post("/events")
    @takes(_POST)
    def post_events(body: EventReport) -> dict[str, Any]:
        return {"device_id": body.device_id, "new": events.record(body)}

    @app.get("/events")
    @takes(_READ)
    def get_events(query: EventsQuery) -> dict[str, Any]:
        return {"timestamp": clock(), "events": events.last(query.limit, query.device_id)}
