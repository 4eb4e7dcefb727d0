"""What endpoints, and who looks after them, ask: decisions and their reasons."""

from __future__ import annotations

import functools
from typing import Any

from flask import Flask

from nrs.api.access import READERS, Access
from nrs.api.operation import Operation, takes
from nrs.api.service import ApiError, caller
from nrs.balancer.decide.balancer import UnknownEndpoint
from nrs.balancer.decide.member import Ranked
from nrs.balancer.decide.placement import NoRouter
from nrs.balancer.decide.registry import MOST_ROUTERS, Router
from nrs.balancer.http import answers
from nrs.balancer.http.queries import DecisionQuery, DecisionsQuery
from nrs.balancer.live import LiveBalancer
from nrs.config.types import IPAddress
from nrs.identity.credential import Role

_DECIMALS = 6
_NOT_KNOWN = "the endpoint has not asked, or not for an hour"
_ASKS = Access(frozenset({Role.ENDPOINT, Role.MONITOR}), "endpoint_id")
_MADE = Operation(
    "The router that an endpoint should use",
    answers.DecisionMade,
    query=DecisionQuery,
    access=_ASKS,
    refused={503: "no routing server can be used; the error says why"},
    brief=True,
)
_LISTED = Operation(
    "Where each endpoint is, by id", answers.Decisions, query=DecisionsQuery, access=READERS
)
_EXPLAINED = Operation(
    "The last decisions of an endpoint and their reasons",
    answers.Explanation,
    access=READERS,
    refused={404: _NOT_KNOWN},
)


def add_routes(app: Flask, balancer: LiveBalancer) -> None:
    """Answer `/decision`, `/decisions` and `/explain` from `balancer`."""

    @app.get("/decision/<endpoint_id>")
    @takes(_MADE)
    def decision(endpoint_id: str, query: DecisionQuery) -> dict[str, Any]:
        candidates = query.candidates or None
        try:
            if caller().speaks_for(endpoint_id):
                made = balancer.decide(endpoint_id, candidates, query.current, query.mbps)
            else:
                made = balancer.foresee(endpoint_id, candidates, query.current)
        except NoRouter as none:
            raise ApiError(503, str(none)) from None
        at = balancer.instant()
        return {
            **_chosen(made.router),
            "business_server_ip": _text(balancer.business_server_ip),
            "score": round(made.score, _DECIMALS),
            "timestamp": at.wall,
            "reason": made.reason.value,
            "previous_router_id": made.previous,
            "valid_until": at.on_the_wall(made.valid_until),
            "poll_after": round(made.poll_after, 3),
            "poll_at_least": round(made.poll_at_least, 3),
            "ranking": [_ranked(router) for router in made.ranking],
        }

    @app.get("/decisions")
    @takes(_LISTED)
    def decisions(query: DecisionsQuery) -> dict[str, Any]:
        page = balancer.decisions(query.after, query.limit)
        return {
            "timestamp": balancer.instant().wall,
            "total": page.total,
            "decisions": [listed._asdict() for listed in page.decisions],
            "next": page.next,
        }

    @app.get("/explain/<endpoint_id>")
    @takes(_EXPLAINED)
    def explain(endpoint_id: str) -> dict[str, Any]:
        try:
            past = balancer.explain(endpoint_id)
        except UnknownEndpoint:
            raise ApiError(404, f"endpoint {endpoint_id!r}: {_NOT_KNOWN}", "endpoint_id") from None
        at = balancer.instant()
        return {
            "endpoint_id": endpoint_id,
            "timestamp": at.wall,
            "decisions": [
                {
                    "first": at.on_the_wall(run.first),
                    "last": at.on_the_wall(run.last),
                    "count": run.count,
                    "router_id": run.router_id,
                    "previous_router_id": run.previous,
                    "reason": run.reason.value,
                    "score": round(run.score, _DECIMALS),
                }
                for run in past
            ],
        }


@functools.lru_cache(maxsize=2 * MOST_ROUTERS)
def _chosen(router: Router) -> dict[str, str | None]:
    """Cached by the object: a report makes a new one."""
    report = router.report
    return {
        "optimal_router_id": report.server_id,
        "optimal_router_internal_ip": _text(report.internal_ip),
        "optimal_router_external_ip": _text(report.external_ip),
    }


@functools.lru_cache(maxsize=2 * MOST_ROUTERS)
def _ranked(router: Ranked) -> dict[str, Any]:
    """Cached by the object: most are the same from one decision to the next."""
    return {
        "router_id": router.router_id,
        "score": round(router.score, _DECIMALS),
        "effective_score": round(router.effective_score, _DECIMALS),
        "status": router.status.value,
        "parts": {name: round(part, _DECIMALS) for name, part in router.parts._asdict().items()},
    }


@functools.lru_cache
def _text(address: IPAddress | None) -> str | None:
    """Cached: the text of an IPv6 address takes longer than the decision."""
    return None if address is None else str(address)
