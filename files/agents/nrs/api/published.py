"""What every service says of itself: its health, its figures, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask, Response, request
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

import nrs
from nrs.api import openapi, revoked, service
from nrs.api.access import READERS
from nrs.api.answers import Health
from nrs.api.operation import Operation, takes
from nrs.api.service import HEALTH


def expose(app: Flask, summary: str, figures: Collector) -> None:
    """Answer `GET /metrics` with `figures`, for Prometheus."""
    exposed = CollectorRegistry(auto_describe=False)
    exposed.register(figures)

    @app.get("/metrics", endpoint="exposed")
    @takes(Operation(summary, None, access=READERS))
    def prometheus() -> Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(exposed), headers=service.UNCACHED, content_type=content_type)


def publish(
    app: Flask, title: str, health: type[Health], state: Callable[[], dict[str, Any]]
) -> None:
    """Answer `/health`, with `state` as the rest of `health`, `/revocations`, `/openapi.json`.

    The document describes the routes that `app` has by now, so this comes after all others.
    """

    @app.get(HEALTH, endpoint="health")
    @takes(Operation("Whether this service serves", health, open=True))
    def serves() -> dict[str, Any]:
        return {"status": "ok", **state()}

    revoked.add_routes(app)
    document = openapi.document(app, title, nrs.__version__)

    @app.get("/openapi.json")
    @takes(Operation("What can be asked of this service", None, access=READERS))
    def published() -> dict[str, Any]:
        return document
