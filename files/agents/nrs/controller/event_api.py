"""The part of the controller's API that is about events."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from flask import Flask, request

from nrs.api import service
from nrs.api.messages import EventReport
from nrs.api.service import ApiError
from nrs.controller.events import MOST_KEPT, Events

_DEFAULT_LIMIT = 100
_LIMIT = re.compile(r"[0-9]{1,6}")


def add_routes(app: Flask, events: Events, clock: Callable[[], float]) -> None:
    """Serve `events` in `app`; `clock` gives seconds since the epoch."""

    @app.post("/events")
    def post_events() -> dict[str, Any]:
        report = service.body(EventReport)
        return {"device_id": report.device_id, "new": events.record(report)}

    @app.get("/events")
    def get_events() -> dict[str, Any]:
        last = events.last(_limit(), request.args.get("device_id"))
        return {"timestamp": clock(), "events": last}


def _limit() -> int:
    """How many events the query asks for. Raises ApiError."""
    text = request.args.get("limit", str(_DEFAULT_LIMIT))
    if not _LIMIT.fullmatch(text) or not 1 <= int(text) <= MOST_KEPT:
        raise ApiError(400, f"must be a number from 1 to {MOST_KEPT}", "limit")
    return int(text)
