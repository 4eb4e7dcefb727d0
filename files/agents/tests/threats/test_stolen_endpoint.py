"""A stolen endpoint, with all that its disk holds, opens what docs/SECURITY.md says and no more."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

from tests.threats.deployment import AGENTS, ENDPOINTS, ROUTERS, Deployment
from tests.threats.model import allowed

_LIMIT_S = 300.0
_CHANGING = ("timestamp", "last_seen", "asked_at", "since", "score")


def steady(seen: Any) -> Any:
    """Without what each report changes."""
    if isinstance(seen, dict):
        return {key: steady(value) for key, value in seen.items() if key not in _CHANGING}
    return [steady(one) for one in seen] if isinstance(seen, list) else seen


def others(deployment: Deployment) -> Any:
    """All that is known of others than the stolen endpoint."""
    balancers = [deployment.balancer, deployment.sibling]
    devices = [name for name in (*ENDPOINTS, *ROUTERS) if name != "endpoint_1"]
    controller = deployment.controller
    return steady(
        [
            *(deployment.seen(each, "/status")["servers"] for each in balancers),
            *(deployment.seen(each, "/algorithm") for each in balancers),
            *(deployment.number(each) for each in deployment.services),
            *(deployment.seen(controller, f"/device/{name}") for name in devices),
            *(deployment.seen(controller, f"/events?device_id={name}") for name in devices),
            [device["device_id"] for device in deployment.seen(controller, "/devices")["devices"]],
        ]
    )


def played(deployment: Deployment) -> list[str]:
    """What the script has opened, a line each."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "tests.threats.stolen_endpoint"),
            deployment.endpoint_file("endpoint_1"),
        ],
        cwd=AGENTS,
        capture_output=True,
        text=True,
        timeout=_LIMIT_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_it_does_what_the_threat_model_allows_and_nothing_else(deployment: Deployment) -> None:
    before = others(deployment)
    opened = played(deployment)
    # It asks both load balancers, one after the other.
    lines = allowed("A stolen endpoint")
    at_services = [line for line in lines if not line.startswith("router: ")]
    assert sorted(set(opened)) == sorted(at_services)
    assert others(deployment) == before
    own = deployment.seen(deployment.controller, "/device/endpoint_1")
    assert (own["device_type"], own["tun_ipv4"]) == ("network_access_endpoint", "10.10.0.1")


def test_it_is_out_of_every_service_when_it_is_revoked(deployment: Deployment) -> None:
    deployment.revoke("--id", "endpoint_1", "--issued-before", "now")
    for _ in range(2):
        opened = played(deployment)
        whose = {line.split(": ")[1] for line in opened}
        what = {line.split(": ")[2] for line in opened}
        assert what == {"GET /health"}, opened
        assert "no token" in whose
        for service in deployment.services:
            service.end()
            service.start()
