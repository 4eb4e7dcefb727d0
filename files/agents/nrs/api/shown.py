"""The certificate that a service shows, and what is told of its end."""

from __future__ import annotations

from collections.abc import Iterable

from flask import Flask
from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from nrs.identity import certificate
from nrs.identity.certificate import Bundle

_SHOWN = "nrs_shown"


def show(app: Flask, bundle: Bundle | None) -> None:
    """Note what `app` is served with from now on; None for plain HTTP."""
    app.extensions[_SHOWN] = bundle


def shown_by(app: Flask) -> Bundle | None:
    """What `app` is served with."""
    found: Bundle | None = app.extensions.get(_SHOWN)
    return found


def ending(app: Flask, now: float) -> str | None:
    """A line on a certificate that has ended or will within 30 days."""
    bundle = shown_by(app)
    return None if bundle is None else certificate.ending(bundle, now)


class Figures(Collector):
    """When the certificate ends, if there is one."""

    def __init__(self, app: Flask) -> None:
        self._app = app

    def collect(self) -> Iterable[Metric]:
        bundle = shown_by(self._app)
        if bundle is not None:
            yield GaugeMetricFamily(
                "nrs_certificate_end_seconds",
                "When the certificate that the service shows ends, in seconds since 1970",
                value=min(map(certificate.ends, bundle.certificates)),
            )
