"""The controller's HTTP API over its registry and the devices' events."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Flask

from nrs.api import service
from nrs.api.auth import Trust
from nrs.api.published import expose, publish
from nrs.controller.events import Events
from nrs.controller.http import answers, configurations, devices, refusals, removals, topology
from nrs.controller.http import events as event_routes
from nrs.controller.http.exposition import DeviceFigures
from nrs.controller.registry import Registry


def create_app(
    trust: Trust, registry: Registry, events: Events, clock: Callable[[], float]
) -> Flask:
    """The API on `registry` and `events`; `clock` gives seconds since the epoch."""
    app = service.create_app("network_controller", trust, clock=clock)
    refusals.answer_in(app)
    devices.add_routes(app, registry, clock)
    removals.add_routes(app, registry, clock)
    configurations.add_routes(app, registry)
    event_routes.add_routes(app, events, clock)
    topology.add_routes(app, registry, clock)
    expose(app, "Sums over all devices, for Prometheus", DeviceFigures(registry, clock))

    def health() -> dict[str, Any]:
        return {"timestamp": clock()}

    publish(
        app,
        "Network controller",
        answers.Health,
        health,
        lambda: registry.unstored,
        lambda: list(registry.out),
    )
    return app
