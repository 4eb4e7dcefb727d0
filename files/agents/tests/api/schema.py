"""Requests made by schemathesis from the document that a service publishes."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import schemathesis
from flask import Flask
from hypothesis import HealthCheck, settings
from schemathesis import Case
from schemathesis.checks import not_a_server_error
from schemathesis.config import SchemathesisConfig
from schemathesis.specs.openapi.checks import positive_data_acceptance

from nrs.api.auth import Trust
from tests.api.callers import shared

TOKEN = "d" * 32
BEARER = {"Authorization": f"Bearer {TOKEN}"}

requests = settings(max_examples=50, suppress_health_check=list(HealthCheck), derandomize=True)
"""How many requests are made of each operation, the same ones each time."""

_REFUSED = [400, 401, 404, 405, 409, 413]
"""What may be answered to what the document does not allow."""

_CONFIG = {
    # Query parameters that are not known are ignored.
    "generation": {"allow-extra-parameters": False},
    "checks": {"negative_data_rejection": {"expected-statuses": _REFUSED}},
}

_UNTOLD = (None, "", True, False, "true", "false")


def trust() -> Trust:
    """Of a service that believes TOKEN and nobody without one."""
    return replace(shared(TOKEN), readers=())


def published(app: Flask) -> Any:
    """The schema of `app`, whose token is TOKEN and which trusts nobody without."""
    config = SchemathesisConfig.from_dict(_CONFIG)
    schema = schemathesis.openapi.from_wsgi("/openapi.json", app, config=config, headers=BEARER)

    @schema.hook
    def filter_query(_context: Any, query: dict[str, Any] | None) -> bool:
        """A query is text.

        Null and an empty one are the same as nothing there, a list of one as its item, and false
        as its name.
        """
        return all(
            len(value) > 1 if isinstance(value, list) else value not in _UNTOLD
            for value in (query or {}).values()
        )

    return schema


def conforms(case: Case) -> None:
    """Make one request, and fail unless the answer is as the document says."""
    # 503 is an answer as good as any other: no router among the candidates can be used.
    excluded = [not_a_server_error]
    if case.operation.body:
        # More is refused than a schema can say: 1.0 for a count, a report of an hour ago.
        excluded.append(positive_data_acceptance)
    response = case.call_and_validate(headers=BEARER, excluded_checks=excluded)
    assert response.status_code != 500


def every_route_is_described(app: Flask) -> None:
    """Fail unless the document has the routes of `app`, and no others."""
    document = app.test_client().get("/openapi.json", headers=BEARER).json
    assert document is not None
    assert document["openapi"].startswith("3.1")
    described = {
        (path, method.upper()) for path, methods in document["paths"].items() for method in methods
    }
    routes = {
        (rule.rule.replace("<", "{").replace(">", "}"), method)
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD"}
    }
    assert routes - described == {("/openapi.json", "GET")}
    assert described <= routes
