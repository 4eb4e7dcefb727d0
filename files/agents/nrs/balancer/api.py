"""The load balancer's HTTP API over a LiveBalancer."""

from __future__ import annotations

import logging
from typing import Any

from flask import Flask, request
from pydantic import TypeAdapter, ValidationError

from nrs.api import service
from nrs.api.messages import MetricsReport, Rate, ServerState
from nrs.api.service import ApiError
from nrs.balancer.core import NoRouter, RouterView, UnknownRouter
from nrs.balancer.live import LiveBalancer
from nrs.balancer.registry import RegistryFull, ReportRefused
from nrs.balancer.standing import State
from nrs.config.common import Api
from nrs.config.types import IPAddress, Name

log = logging.getLogger(__name__)

MOST_CANDIDATES = 64
_DECIMALS = 6
_NAME: TypeAdapter[str] = TypeAdapter(Name)
_RATE: TypeAdapter[float] = TypeAdapter(Rate)


def create_app(balancer: LiveBalancer, api: Api) -> Flask:
    """The API on `balancer` for those whom `api` lets in."""
    app = service.create_app("load_balancer", api)

    @app.post("/metrics")
    def metrics() -> dict[str, Any]:
        report = service.body(MetricsReport)
        try:
            score = balancer.report(report)
        except ReportRefused as refusal:
            raise ApiError(400, str(refusal), refusal.field) from None
        except RegistryFull as full:
            raise ApiError(503, str(full)) from None
        return {"status": "ok", "server_id": report.server_id, "score": round(score, _DECIMALS)}

    @app.get("/decision/<endpoint_id>")
    def decision(endpoint_id: str) -> dict[str, Any]:
        name = _name(endpoint_id, "endpoint_id")
        try:
            made = balancer.decide(name, _candidates(), _current(), _mbps())
        except NoRouter as none:
            raise ApiError(503, str(none)) from None
        report = made.router.report
        return {
            "optimal_router_id": report.server_id,
            "optimal_router_internal_ip": _text(report.internal_ip),
            "optimal_router_external_ip": _text(report.external_ip),
            "business_server_ip": _text(balancer.business_server_ip),
            "score": round(made.score, _DECIMALS),
            "timestamp": balancer.wall_clock(),
        }

    @app.put("/servers/<server_id>/state")
    def state(server_id: str) -> dict[str, Any]:
        name = _name(server_id, "server_id")
        wanted = State(service.body(ServerState).state)
        try:
            view, changed = balancer.set_state(name, wanted)
        except UnknownRouter:
            raise ApiError(404, f"routing server {name!r} has not reported", "server_id") from None
        except OSError as error:
            log.error("the state of %s cannot be stored: %s", name, error)
            raise ApiError(503, "the state could not be stored; nothing was changed") from None
        return {
            "server_id": name,
            "state": wanted.value,
            "changed": changed,
            "status": None if view is None else view.standing.status.value,
            "reason": None if view is None else view.standing.reason,
        }

    @app.get("/status")
    def status() -> dict[str, Any]:
        views = balancer.routers()
        return {
            "timestamp": balancer.wall_clock(),
            "total_servers": len(views),
            "active_servers": sum(view.active for view in views),
            "servers": [server(view) for view in views],
            "active_decisions": balancer.active_decisions(),
        }

    @app.get("/health")
    def health() -> dict[str, Any]:
        views = balancer.routers()
        return {
            "status": "ok",
            "total_servers": len(views),
            "active_servers": sum(view.active for view in views),
        }

    return app


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


def _candidates() -> list[str] | None:
    stated = ",".join(request.args.getlist("candidates"))
    names = [text.strip() for text in stated.split(",") if text.strip()]
    if len(names) > MOST_CANDIDATES:
        raise ApiError(400, f"at most {MOST_CANDIDATES} candidates", "candidates")
    return [_name(text, "candidates") for text in dict.fromkeys(names)] or None


def _current() -> str | None:
    stated = request.args.get("current")
    return None if not stated else _name(stated, "current")


def _mbps() -> float | None:
    stated = request.args.get("mbps")
    if not stated:
        return None
    try:
        return _RATE.validate_python(float(stated))
    except ValueError:
        raise ApiError(400, "must be a number from 0 to 10^9", "mbps") from None


def _name(text: str, field: str) -> str:
    try:
        return _NAME.validate_python(text)
    except ValidationError as error:
        message = error.errors(include_url=False)[0]["msg"].removeprefix("Value error, ")
        raise ApiError(400, message, field) from None


def _text(address: IPAddress | None) -> str | None:
    return None if address is None else str(address)
