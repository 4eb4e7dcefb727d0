"""The published document, and requests made from it."""

from __future__ import annotations

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.config import (
    GenerationConfig,
    ProjectConfig,
    ProjectsConfig,
    SchemathesisConfig,
)
from schemathesis.specs.openapi.checks import positive_data_acceptance

from nrs.balancer.config import LoadBalancerConfig
from nrs.balancer.http.app import create_app
from nrs.balancer.live import LiveBalancer
from nrs.config.common import Api
from tests.balancer.reports import WALL, report

TOKEN = "d" * 32


def app() -> Flask:
    balancer = LiveBalancer(LoadBalancerConfig(), clock=lambda: 0.0, wall_clock=lambda: WALL)
    for number in (1, 2, 3):
        balancer.report(report(f"router_{number}", number / 10))
        balancer.decide(f"endpoint_{number}", None)
    return create_app(balancer, Api.model_validate({"token": TOKEN, "trusted_networks": []}))


# Query parameters that are not known are ignored.
config = SchemathesisConfig(
    projects=ProjectsConfig(
        default=ProjectConfig(generation=GenerationConfig(allow_extra_parameters=False))
    )
)
schema = schemathesis.openapi.from_wsgi(
    "/openapi.json", app(), config=config, headers={"Authorization": f"Bearer {TOKEN}"}
)


@schema.parametrize()
@settings(max_examples=50, suppress_health_check=list(HealthCheck), derandomize=True)
def test_conforms(case: Case) -> None:
    # 503 is an answer as good as any other: no router among the candidates can be used.
    excluded = [not_a_server_error]
    if case.operation.body:
        # More is refused than a schema can say: 1.0 for a count, a report of an hour ago.
        excluded.append(positive_data_acceptance)
    response = case.call_and_validate(
        headers={"Authorization": f"Bearer {TOKEN}"}, excluded_checks=excluded
    )
    assert response.status_code != 500


def test_every_route_is_described() -> None:
    served = app()
    document = (
        served.test_client().get("/openapi.json", headers={"Authorization": f"Bearer {TOKEN}"}).json
    )
    assert document is not None
    assert document["openapi"].startswith("3.1")
    described = {
        (path, method.upper()) for path, methods in document["paths"].items() for method in methods
    }
    routes = {
        (rule.rule.replace("<", "{").replace(">", "}"), method)
        for rule in served.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }
    assert routes - described == {("/openapi.json", "GET")}
    assert described <= routes
