"""What every service says of itself: that it serves, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask

import nrs
from nrs.api import openapi, revoked
from nrs.api.answers import Health
from nrs.api.operation import Operation, takes
from nrs.api.service import HEALTH


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
    def published() -> dict[str, Any]:
        return document
