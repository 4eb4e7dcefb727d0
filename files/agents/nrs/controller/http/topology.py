"""The whole deployment at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask

from nrs.api.access import READERS
from nrs.api.operation import Operation, takes
from nrs.controller import views
from nrs.controller.http import answers
from nrs.controller.http.refusals import FAILING
from nrs.controller.registry import Registry

_TOPOLOGY = Operation(
    "Every device, and every tunnel once", answers.Topology, access=READERS, refused=FAILING
)


def add_routes(app: Flask, registry: Registry, clock: Callable[[], float]) -> None:
    """Answer `/topology` from `registry`."""

    @app.get("/topology")
    @takes(_TOPOLOGY)
    def topology() -> dict[str, Any]:
        return views.topology(registry.devices(), clock())
