"""A controller that comes back without its registry, or with an older one, takes nothing away."""

from __future__ import annotations

import http.client
import json
import shutil
import signal
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from testbed.wait import wait_until

from nrs.identity.credential import Role
from tests.netns.conftest import both_up
from tests.netns.world import BUSINESS, ENDPOINT_TUN, ROUTER_TUN, UPLINK, Agent, World
from tests.signing import Signing

PORT = 8090
OFTEN_S = 0.3
BESIDE = ("203.0.113.129", "203.0.113.130")
"""Of the endpoint and the controller, on a link that is no part of the tunnels' ways."""
AT_HOME, BY_ROUTERS, BY_ENDPOINT = (
    f"http://{address}:{PORT}" for address in ("127.0.0.1", BUSINESS[0], BESIDE[1])
)
PUSHED = ("203.0.113.0/26", "203.0.113.64/26")
PATIENCE_S = 30
ROUTERS = tuple(UPLINK)


class Site:
    """Two routers and an endpoint, all with a controller, which an operator calls on its host."""

    def __init__(self, world: World, state: Path) -> None:
        self.world, self.state = world, state
        world.link(("endpoint", "beside0"), ("business", "beside0"))
        for host, address in zip(("endpoint", "business"), BESIDE, strict=True):
            world.address(host, "beside0", f"{address}/30")
        world.environment["STATE_DIRECTORY"] = str(state)
        signing = Signing(state.parent)
        self._bearer = signing.bearer(AT_HOME)
        config = {
            "controller": {"bind_address": "0.0.0.0", "bind_port": PORT},
            "api": {**signing.service(AT_HOME, BY_ROUTERS, BY_ENDPOINT), "allow_plain": True},
        }
        self.controller = Agent(
            world, "business", "network-controller", "network_controller", config
        )
        del world.environment["STATE_DIRECTORY"]
        wait_until(self.controller.status, PATIENCE_S, "the controller answers")

        def access(url: str, role: Role, name: str) -> dict[str, Any]:
            asked = {"url": url, "status_interval": OFTEN_S}
            token = signing.token(url, role, name)
            return {"network_controller": asked, "api": {"token": token}}

        self.devices = {
            name: world.router(name, **access(BY_ROUTERS, Role.ROUTER, name)) for name in ROUTERS
        }
        self.endpoint = world.endpoint(
            push={"routes_within": [*PUSHED]}, **access(BY_ENDPOINT, Role.ENDPOINT, "endpoint_1")
        )
        self.devices["endpoint_1"] = self.endpoint
        wait_until(lambda: both_up(self.endpoint), PATIENCE_S, "both tunnels up")
        wait_until(lambda: set(self.registered()) == set(self.devices), PATIENCE_S, "registered")

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """What the controller answers."""
        with closing(self.world.socket("business", socket.AF_INET, socket.SOCK_STREAM)) as sock:
            sock.connect(("127.0.0.1", PORT))
            connection = http.client.HTTPConnection("127.0.0.1")
            connection.sock = sock
            data = None if body is None else json.dumps(body)
            headers = {"Content-Type": "application/json", **self._bearer}
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            said = json.loads(answer.read())
            assert answer.status < 300, said
            return said

    def registered(self) -> dict[str, Any]:
        """The devices of the registry, by id."""
        return {one["device_id"]: one for one in self.call("GET", "/devices")["devices"]}

    def push(self, device: str, config: dict[str, Any]) -> int:
        """The version, once the device runs it."""
        version = self.call("POST", f"/push_config/{device}", {"config": config})["version"]
        running = self.devices[device].status
        wait_until(lambda: running()["config_version"] == version, PATIENCE_S, f"{device} runs it")
        return int(version)

    def push_routes(self, *routes: str) -> int:
        """Beside those of the endpoint's file."""
        return self.push("endpoint_1", self.with_routes(*routes))

    def with_routes(self, *routes: str) -> dict[str, Any]:
        return {"tunnel": {"routes": [*self.endpoint.config["tunnel"]["routes"], *routes]}}

    def routes(self) -> set[str]:
        """What was pushed of the endpoint's routes."""
        there = self.world.ip("endpoint", "route").split()
        return set(PUSHED) & set(there)

    def restart_controller(self, copy: Path | None) -> None:
        """It comes back with this copy of its state, or with none."""
        assert self.controller.stop() == 0
        shutil.rmtree(self.state)
        if copy is not None:
            shutil.copytree(copy, self.state)
        self.world.environment["STATE_DIRECTORY"] = str(self.state)
        self.controller.start()
        del self.world.environment["STATE_DIRECTORY"]
        wait_until(self.controller.status, PATIENCE_S, "the controller answers")

    def copy(self, to: Path) -> Path:
        """A copy of the state, as of now."""
        assert self.controller.stop() == 0
        shutil.copytree(self.state, to)
        self.restart_controller(to)
        return to


@pytest.fixture
def site(world: World, tmp_path: Path) -> Site:
    return Site(world, tmp_path / "state")


def runs(site: Site, versions: dict[str, int]) -> bool:
    """Whether the controller knows all devices again, and that they run these versions."""
    known = site.registered()
    return {name: one["config_acknowledged"] for name, one in known.items()} == versions


@pytest.mark.parametrize("left", ["nothing", "an older copy"])
def test_devices_keep_what_was_pushed_and_their_addresses(
    site: Site, tmp_path: Path, left: str
) -> None:
    world, endpoint = site.world, site.endpoint
    site.push_routes(PUSHED[0])
    copy = site.copy(tmp_path / "copy") if left == "an older copy" else None
    versions = {"endpoint_1": site.push_routes(*PUSHED)}
    for name in ROUTERS:
        versions[name] = site.push(name, {"server": {"log_level": "debug"}})

    site.restart_controller(copy)
    wait_until(lambda: runs(site, versions), PATIENCE_S, "all are known again, and run the same")
    known = site.registered()
    held = {name: (one["tun_ipv4"], one["tun_ipv6"]) for name, one in known.items()}
    assert held == {**ROUTER_TUN, "endpoint_1": ENDPOINT_TUN}
    assert ENDPOINT_TUN[0] in world.ip("endpoint", "addr", "show", "tun0")
    assert site.routes() == set(PUSHED)
    assert both_up(endpoint)
    assert world.ping(BUSINESS[0])
    earlier = "stays in force: the network controller has"
    assert endpoint.log.count(earlier) == 1

    endpoint.kill()
    endpoint.start()
    wait_until(lambda: both_up(endpoint), PATIENCE_S, "both tunnels up after a restart")
    assert site.routes() == set(PUSHED)
    wait_until(lambda: endpoint.log.count(earlier) == 2, PATIENCE_S, "it has asked again")
    assert site.routes() == set(PUSHED)

    # What is pushed from now on is taken, also where it is what the copy has, or nothing.
    versions["endpoint_1"] = site.push_routes(PUSHED[0])
    assert site.routes() == {PUSHED[0]}
    site.push("endpoint_1", {})
    assert site.routes() == set()


def test_a_push_before_the_device_has_said_what_it_runs_is_taken(
    site: Site, tmp_path: Path
) -> None:
    copy = site.copy(tmp_path / "copy")
    for route in PUSHED:
        site.call("POST", "/push_config/endpoint_1", {"config": site.with_routes(route)})
    wait_until(lambda: site.routes() == {PUSHED[1]}, PATIENCE_S, "it is in force")
    # As many pushes again, which as mere numbers would be those that the device has.
    site.endpoint.signal(signal.SIGSTOP)
    site.restart_controller(copy)
    for route in reversed(PUSHED):
        site.call("POST", "/push_config/endpoint_1", {"config": site.with_routes(route)})
    site.endpoint.signal(signal.SIGCONT)
    wait_until(lambda: site.routes() == {PUSHED[0]}, PATIENCE_S, "the last push is in force")
