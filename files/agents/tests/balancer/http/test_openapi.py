"""The published document, and requests made from it."""

from __future__ import annotations

from flask import Flask
from schemathesis import Case

from nrs.balancer.config import LoadBalancerConfig
from nrs.balancer.http.app import create_app
from nrs.balancer.live import LiveBalancer
from tests.api import schema
from tests.balancer.reports import WALL, report


def app() -> Flask:
    balancer = LiveBalancer(LoadBalancerConfig(), clock=lambda: 0.0, wall_clock=lambda: WALL)
    for number in (1, 2, 3):
        balancer.report(report(f"router_{number}", number / 10))
        balancer.decide(f"endpoint_{number}", None)
    return create_app(balancer, schema.trust())


published = schema.published(app())


@published.parametrize()
@schema.requests
def test_conforms(case: Case) -> None:
    schema.conforms(case)


def test_every_route_is_described() -> None:
    schema.every_route_is_described(app())
