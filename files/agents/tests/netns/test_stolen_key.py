"""A device key that was stolen opens at a router what docs/SECURITY.md says and nothing else."""

from __future__ import annotations

import sys

import pytest
from testbed.wait import wait_until

from tests.netns.timed.test_keys import OLD, device_key, psk_file
from tests.netns.world import AGENTS, UNDERLAY6, World
from tests.threats.model import allowed

STRANGERS = "2001:db8:f000::/36"

pytestmark = pytest.mark.root


def test_it_opens_its_tunnel(world: World) -> None:
    tunnel = {
        "psk": None,
        "psk_file": psk_file(world, "psk", OLD),
        "key_modes": ["device"],
        "endpoint_networks": ["0.0.0.0/0", "::/0"],
    }
    router = world.router("router_a", tunnel=tunnel)
    near, far = UNDERLAY6["router_a"]
    entry = {"router_id": "router_a", "external_ip": far, "bind_address": near}
    endpoint = world.endpoint(routers=[entry], tunnel=device_key(world, OLD, 0))
    wait_until(lambda: "endpoint_1" in router.tunnels(), 20, "the honest endpoint is up")
    endpoint.stop()
    world.ip("endpoint", "-6", "route", "add", "local", STRANGERS, "dev", "lo")
    world.ip("router_a", "route", "add", STRANGERS, "via", near)
    python = ("env", f"PYTHONPATH={AGENTS}", sys.executable)
    words = (*python, "-m", "tests.threats.stolen_key", str(endpoint.config_path))
    done = world.exec("endpoint", *words)
    at_routers = [line for line in allowed("A stolen endpoint") if line.startswith("router: ")]
    assert sorted(done.splitlines()) == sorted(at_routers)
    assert set(router.tunnels()) <= {"endpoint_1"}
