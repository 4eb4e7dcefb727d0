"""A router whose key was taken opens what docs/SECURITY.md says and nothing else."""

from __future__ import annotations

from typing import Any

import pytest
from testbed.wait import wait_until

from nrs.tunnel import keys
from tests.netns.timed.test_keys import CLAIM, NEW, key_file
from tests.netns.world import UNDERLAY6, Agent, World
from tests.tunnel.router_key import own_key

pytestmark = pytest.mark.root
TAKEN, OTHER = "router_a", "router_b"


def router(world: World, host: str, key_of: str, server_id: str) -> Agent:
    """On a host, with the key of one router and the name of one, perhaps of another."""
    key = key_file(world, f"{host}_key", own_key(NEW, key_of, 0).hex())
    tunnel = {"psk": None, "router_key_file": key}
    return world.router(host, tunnel=tunnel, server={"server_id": server_id})


def endpoint(world: World, host: str, key_of: str, router_id: str) -> Agent:
    """With a tunnel to a host where it takes that router to be, and its key for another one."""
    near, far = UNDERLAY6[host]
    entry = {"router_id": router_id, "external_ip": far, "bind_address": near}
    made = {router_id: keys.device_key(own_key(NEW, key_of, 0), CLAIM, 0).hex()}
    tunnel: dict[str, Any] = {"psk": None, "device_keys": made}
    return world.endpoint(routers=[entry], tunnel=tunnel)


def refused(router: Agent) -> int:
    """Datagrams with a wrong tag."""
    figures = router.status().get("figures")
    return int(figures["drops"]["tag"]) if figures else 0


@pytest.mark.parametrize("who", ["poses as another router", "poses as an endpoint"])
def test_it_is_nobody_at_other_routers_and_no_other_router(world: World, who: str) -> None:
    posing = who == "poses as another router"
    # Where the other router was, or as an endpoint with what its own key makes of the claim.
    at = router(world, OTHER, TAKEN if posing else OTHER, OTHER)
    client = endpoint(world, OTHER, OTHER if posing else TAKEN, OTHER)
    wait_until(lambda: refused(at) >= 3, 20, "three HELLOs are refused")
    assert client.tunnels()[OTHER]["state"] == "connecting"
    assert at.tunnels() == {}
    for agent in (at, client):
        agent.stop()
    at = router(world, OTHER, OTHER, OTHER)
    client = endpoint(world, OTHER, OTHER, OTHER)
    wait_until(lambda: "endpoint_1" in at.tunnels(), 20, "the other router's own key opens it")
