"""What routing servers report, and what is told and set about them."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from flask import Flask, g, request

from nrs.api.access import READERS, devices
from nrs.api.messages import MetricsReport, ServerState
from nrs.api.operation import Operation, takes
from nrs.api.service import ApiError
from nrs.balancer.decide.fleet import UnknownRouter
from nrs.balancer.decide.member import RouterView
from nrs.balancer.decide.registry import RegistryFull, ReportRefused
from nrs.balancer.decide.standing import State
from nrs.balancer.http import answers
from nrs.balancer.live import LiveBalancer
from nrs.identity.credential import Role

log = logging.getLogger(__name__)

_DECIMALS = 6
_REPORT = Operation(
    "A routing server's report",
    answers.ReportTaken,
    body=MetricsReport,
    access=devices("server_id", Role.ROUTER),
    refused={503: "too many routing servers are known and active"},
    brief=True,
)
_STATE = Operation(
    "What the operator wants of a routing server",
    answers.StateSet,
    body=ServerState,
    refused={
        404: "the routing server has not reported",
        503: "the state could not be stored; nothing was changed",
    },
)
_STATUS = Operation("Every routing server that has reported", answers.StatusAnswer, access=READERS)
_REPORTS = "metrics"
_REFUSED_BEFORE = {401: "unauthorized", 400: "malformed", 413: "malformed"}
"""What becomes of reports that the balancer never sees, by the status of the answer."""


def refusals(balancer: LiveBalancer) -> Callable[[ApiError], None]:
    """Counts reports that are refused before the balancer has seen them."""

    def count(error: ApiError) -> None:
        kind = _REFUSED_BEFORE.get(error.status)
        if kind is not None and request.endpoint == _REPORTS and "counted" not in g:
            balancer.count_refusal(kind)

    return count


def add_routes(app: Flask, balancer: LiveBalancer) -> None:
    """Answer `POST /metrics`, `/servers` and `/status` from `balancer`."""

    @app.post("/metrics", endpoint=_REPORTS)
    @takes(_REPORT)
    def metrics(body: MetricsReport) -> dict[str, Any]:
        try:
            score = balancer.report(body)
        except ReportRefused as refusal:
            g.counted = True
            raise ApiError(400, str(refusal), refusal.field) from None
        except RegistryFull as full:
            raise ApiError(503, str(full)) from None
        return {"status": "ok", "server_id": body.server_id, "score": round(score, _DECIMALS)}

    @app.put("/servers/<server_id>/state")
    @takes(_STATE)
    def state(server_id: str, body: ServerState) -> dict[str, Any]:
        wanted = State(body.state)
        try:
            view, changed = balancer.set_state(server_id, wanted)
        except UnknownRouter:
            error = f"routing server {server_id!r} has not reported"
            raise ApiError(404, error, "server_id") from None
        except OSError as error:
            log.error("the state of %s cannot be stored: %s", server_id, error)
            raise ApiError(503, "the state could not be stored; nothing was changed") from None
        return {
            "server_id": server_id,
            "state": wanted.value,
            "changed": changed,
            "status": None if view is None else view.standing.status.value,
            "reason": None if view is None else view.standing.reason,
        }

    @app.get("/status")
    @takes(_STATUS)
    def status() -> dict[str, Any]:
        views = balancer.routers()
        return {
            "timestamp": balancer.instant().wall,
            "total_servers": len(views),
            "active_servers": sum(view.active for view in views),
            "servers": [server(view) for view in views],
            "active_decisions": balancer.active_decisions(),
            "refused_reports": balancer.refusals,
        }


def server(view: RouterView) -> dict[str, Any]:
    """A routing server as `GET /status` lists it."""
    report = view.router.report
    return {
        "server_id": report.server_id,
        "server_name": report.server_name,
        "status": view.standing.status.value,
        "state": view.state.value,
        "reason": view.standing.reason,
        "cpu_percent": report.cpu_percent,
        "memory_percent": report.memory_percent,
        "bandwidth_mbps": report.bandwidth_mbps,
        "active_tunnels": report.active_tunnels,
        "score": round(view.score, _DECIMALS),
    }
