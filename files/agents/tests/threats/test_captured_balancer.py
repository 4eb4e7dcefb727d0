"""A captured load balancer opens what docs/SECURITY.md says, at its siblings and in the store."""

from __future__ import annotations

import os
import shutil
import sys

import pytest
from testbed import process

from nrs.api.client import ApiRefused
from tests.serving import TIMEOUT_S
from tests.threats.attempts import report
from tests.threats.deployment import AGENTS, Deployment
from tests.threats.model import allowed

_LIMIT_S = 300.0
_CALLERS = 5
"""A router, an endpoint, an operator, and the two siblings."""


def test_it_does_what_the_threat_model_allows_and_nothing_else(deployment: Deployment) -> None:
    captured, sibling = deployment.balancer, deployment.sibling
    deployment.revoke("--id", "router_9", "--issued-before", "now")
    # As it was kept then: the list in which endpoint_2 is not revoked yet.
    state = deployment.directory / "captured"
    shutil.copytree(captured.state, state)
    deployment.revoke("--id", "endpoint_2", "--issued-before", "now")
    algorithm = deployment.seen(sibling, "/algorithm")
    known = deployment.seen(deployment.controller, "/devices")["devices"]
    captured.end()
    played = process.start(
        "captured load balancer",
        [
            *(sys.executable, "-m", "tests.threats.captured_balancer"),
            *(captured.file, state, _CALLERS),
        ],
        log=deployment.directory / "captured.log",
        cwd=AGENTS,
        env=dict(os.environ),
        conversation=True,
    )
    try:
        assert played.line(TIMEOUT_S) == "serving\n"
        deployment.as_device("router_1", captured).post("/metrics", report("router_1"))
        deployment.as_device("endpoint_1", captured).get("/decision/endpoint_1")
        deployment.seen(captured, "/status")
        out, _ = played.process.communicate(timeout=_LIMIT_S)
        assert played.process.returncode == 0, played.said
    finally:
        played.end()
    title = "A captured load balancer or controller"
    assert sorted(out.decode().splitlines()) == sorted(allowed(title)), played.said
    assert deployment.number(sibling) == deployment.number(deployment.controller) == 2
    with pytest.raises(ApiRefused, match="revoked"):
        deployment.as_device("endpoint_2", sibling).get("/decision/endpoint_2")
    assert deployment.seen(sibling, "/algorithm") == algorithm
    assert [(device["device_id"], device["tun_ipv4"]) for device in known] == [
        (device["device_id"], device["tun_ipv4"])
        for device in deployment.seen(deployment.controller, "/devices")["devices"]
    ]
    # What the threat model says is open: load balancers trust what is in the store.
    deployment.wait(
        lambda: (
            "invented"
            in {server["server_id"] for server in deployment.seen(sibling, "/status")["servers"]}
        ),
        "the sibling believes it",
    )
