"""What an expired certificate of a service does to tunnels: nothing."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from flask import Flask, request
from testbed.wait import wait_until

from nrs.api.listener import listen
from tests.api.certified import DAY, NOW, Authority
from tests.netns.world import BUSINESS, Agent, World
from tests.serving import serving_by

HERE, PORT = "127.0.0.1", 8080


def shown(pair: tuple[Path, Path]) -> ssl.SSLContext:
    """What a service shows, however old it is."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*pair)
    return context


def up_since(endpoint: Agent) -> dict[str, float]:
    """When the tunnels that are up came up."""
    return {name: t["since"] for name, t in endpoint.tunnels().items() if t["up"]}


@pytest.mark.parametrize("stale", ["certificate", "authority"])
def test_tunnels_come_up_and_stay_and_the_next_certificate_is_taken(
    world: World, tmp_path: Path, stale: str
) -> None:
    authority = Authority(tmp_path)
    good = shown(authority.certify("good", HERE))
    asked: list[str] = []
    app = Flask("balancer")

    @app.get("/decision/<endpoint_id>")
    def decision(endpoint_id: str) -> tuple[dict[str, Any], int]:
        asked.append(request.path)
        return {"error": f"nothing is known of {endpoint_id}", "field": None}, 503

    if stale == "certificate":
        first = shown(authority.certify("old", HERE, begin=NOW - 9 * DAY, end=NOW - DAY))
        why = f"the certificate expired on {(NOW - DAY).date()}"
    else:
        first = shown(Authority(tmp_path, "another CA").certify("other", HERE))
        why = f"which is no CA in {authority.file}"
    with world.inside("endpoint"):
        listener = listen(HERE, PORT)
    with serving_by(app, listener, context=first) as (service, _):
        for name in ("router_a", "router_b"):
            world.router(name)
        endpoint = world.endpoint(
            load_balancer={"url": f"https://{HERE}:{PORT}", "poll_interval": 0.2},
            api={"ca_file": str(authority.file)},
        )
        wait_until(lambda: len(up_since(endpoint)) == 2, 30, "both tunnels up")
        before = up_since(endpoint)
        wait_until(lambda: why in endpoint.log, 30, "the log says why nobody is asked")
        assert f"not trusted by {authority.file}: " in endpoint.log
        assert world.ping(BUSINESS[0])
        assert not asked
        service.renew(good)
        wait_until(lambda: asked, 30, "the load balancer is asked")
        assert up_since(endpoint) == before
