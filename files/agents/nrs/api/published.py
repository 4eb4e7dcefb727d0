"""What every service says of itself: its health, its figures, and what can be asked of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Response, request
from prometheus_client import CollectorRegistry, Metric
from prometheus_client.core import CounterMetricFamily
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector

import nrs
from nrs.api import openapi, revoked, service, shown
from nrs.api.access import READERS
from nrs.api.answers import Health
from nrs.api.operation import Operation, takes
from nrs.api.service import HEALTH

_DEGRADED = "it serves, and what it keeps could not be written last; the reason says why"
_COUNTED = {
    "credentials": ("nrs_credentials_refused", "Tokens that were not good, since the start"),
    "requests": ("nrs_requests_denied", "Requests that a good token is not for, since the start"),
}


class _Refused(Collector):
    """What the server has counted that answers the present request."""

    def collect(self) -> Iterable[Metric]:
        counted = request.environ.get("nrs.refusals", dict)()
        for kind, count in counted.items():
            yield CounterMetricFamily(*_COUNTED[kind], value=count)


def expose(app: Flask, summary: str, figures: Collector) -> None:
    """Answer `GET /metrics` with `figures` what was refused and the certificate, for Prometheus."""
    exposed = CollectorRegistry(auto_describe=False)
    exposed.register(figures)
    exposed.register(_Refused())
    exposed.register(shown.Figures(app))

    @app.get("/metrics", endpoint="exposed")
    @takes(Operation(summary, None, access=READERS))
    def prometheus() -> Response:
        encode, content_type = choose_encoder(request.headers.get("Accept", ""))
        return Response(encode(exposed), headers=service.UNCACHED, content_type=content_type)


def publish(
    app: Flask,
    title: str,
    health: type[Health],
    state: Callable[[], dict[str, Any]],
    unstored: Callable[[], str | None],
    besides: Callable[[], list[str]] = list,
) -> None:
    """Answer `/health`, with `state` as the rest of `health`, `/revocations`, `/openapi.json`.

    `unstored` says what of the service's own could not be written last, if anything, `besides` whom
    it refuses by itself. The document describes the routes that `app` has by now, so this comes
    after all others.
    """

    @app.get(HEALTH, endpoint="health")
    @takes(Operation("Whether this service serves", health, open=True, degraded=_DEGRADED))
    def serves() -> tuple[dict[str, Any], int]:
        kept = service.trust_in(app).revocations
        reasons = (unstored(), None if kept is None else kept.unstored)
        wrong = [why for why in reasons if why is not None]
        rest = {"certificate_warning": shown.ending(app, time.time()), **state()}
        if not wrong:
            return {"status": "ok", "reason": None, **rest}, 200
        return {"status": "degraded", "reason": "; ".join(wrong), **rest}, 503

    revoked.add_routes(app, besides)
    document = openapi.document(app, title, nrs.__version__)

    @app.get("/openapi.json")
    @takes(Operation("What can be asked of this service", None, access=READERS))
    def published() -> dict[str, Any]:
        return document
