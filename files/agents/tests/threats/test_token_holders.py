"""Whoever holds a router's tokens, or an auditor's, opens what docs/SECURITY.md says."""

from __future__ import annotations

import pytest

from tests.threats.attacker import worked
from tests.threats.attempts import BALANCER, CONTROLLER, attempts
from tests.threats.deployment import ENDPOINTS, ROUTERS, Deployment
from tests.threats.model import allowed

ADDRESSES = {**ROUTERS, **ENDPOINTS}


@pytest.mark.parametrize(
    ("title", "role", "own", "neighbour"),
    [
        ("A captured router", "router", "router_1", "router_2"),
        ("Somebody with a read-only login", "monitor", "ann", "router_2"),
    ],
)
def test_a_token_opens_what_the_threat_model_allows_and_nothing_else(
    deployment: Deployment, title: str, role: str, own: str, neighbour: str
) -> None:
    urls = [deployment.balancer.url, deployment.controller.url]
    address = ADDRESSES.get(own)
    tokens = deployment.tokens(role, own, None, urls, address)
    names = {"OWN": own, "NEIGHBOUR": neighbour, "ENDPOINT": "endpoint_1"}
    addresses = {"NEIGHBOUR": ADDRESSES[neighbour]} | ({"OWN": address} if address else {})
    done = []
    for service, url in zip((BALANCER, CONTROLLER), urls, strict=True):
        (other,) = set(urls) - {url}
        credentials = {"its token": tokens[url], "its token for the other": tokens[other]}
        tried = attempts(service, names, addresses)
        lines = worked(url, deployment.ca_file, tried, credentials)
        done += [f"{service}: {line}" for line in lines]
    assert sorted(done) == sorted(allowed(title))
