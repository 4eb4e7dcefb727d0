"""The load balancer's HTTP API over a LiveBalancer."""

from __future__ import annotations

from typing import Any

from flask import Flask

from nrs.api import service
from nrs.api.auth import Trust
from nrs.api.published import expose, publish
from nrs.balancer.http import algorithm, answers, decisions, servers
from nrs.balancer.http.exposition import BalancerFigures
from nrs.balancer.live import LiveBalancer


def create_app(balancer: LiveBalancer, trust: Trust) -> Flask:
    """The API on `balancer` for those whom `trust` lets in."""
    app = service.create_app(
        "load_balancer", trust, servers.refusals(balancer), lambda: balancer.instant().wall
    )
    decisions.add_routes(app, balancer)
    servers.add_routes(app, balancer)
    algorithm.add_routes(app, balancer)
    expose(app, "The load balancer's own figures, for Prometheus", BalancerFigures(balancer))

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

    publish(app, "Load balancer", answers.Health, health, lambda: balancer.unstored)
    return app
