"""The load balancer's HTTP API over a LiveBalancer."""

from __future__ import annotations

from typing import Any

from flask import Flask, Response, request
from prometheus_client.exposition import choose_encoder

from nrs.api import service
from nrs.api.access import READERS
from nrs.api.auth import Trust
from nrs.api.operation import Operation, takes
from nrs.api.published import publish
from nrs.balancer.http import algorithm, answers, decisions, exposition, servers
from nrs.balancer.live import LiveBalancer

_EXPOSED = Operation("The load balancer's own figures, for Prometheus", None, access=READERS)


def create_app(balancer: LiveBalancer, trust: Trust) -> Flask:
    """The API on `balancer` for those whom `trust` lets in."""
    app = service.create_app("load_balancer", trust, servers.refusals(balancer))
    decisions.add_routes(app, balancer)
    servers.add_routes(app, balancer)
    algorithm.add_routes(app, balancer)
    exposed = exposition.registry(balancer)

    @app.get("/metrics")
    @takes(_EXPOSED)
    def prometheus() -> Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(exposed), headers=service.UNCACHED, content_type=content_type)

    def health() -> dict[str, Any]:
        views = balancer.routers()
        shared = balancer.shared
        return {
            "total_servers": len(views),
            "active_servers": sum(view.active for view in views),
            "shared_state": None
            if shared is None
            else {"connected": shared.error is None, "error": shared.error},
        }

    publish(app, "Load balancer", answers.Health, health)
    return app
