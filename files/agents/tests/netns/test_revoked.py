"""A device that is revoked has no tunnel within seconds, and nobody else notices."""

from __future__ import annotations

import http.client
import json
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from testbed.wait import wait_until

from nrs.identity.credential import Role
from nrs.identity.revoked_tunnels import RevokedTunnels
from tests.netns.conftest import both_up, is_up, one_router
from tests.netns.test_identity import second_device
from tests.netns.timed.test_failover import lost, start_ping
from tests.netns.world import BUSINESS, Agent, World
from tests.signing import Signing

REVOKED_S = 5
"""From when a service has a list until no router carries what it revokes."""
ASKED_S = 25
"""An endpoint asks every 15 s."""
STOLEN = RevokedTunnels().with_endpoint("endpoint_2", 1)
CAPTURED = RevokedTunnels().with_router("router_a")
SECOND: dict[str, object] = {
    "endpoint": {"endpoint_id": "endpoint_2"},
    "tunnel": {"tun_ipv4": "10.10.100.2", "tun_ipv6": "fd00:10:100::2"},
}
SERVICES = {
    "load_balancer": ("load-balancer", "server", 8080),
    "network_controller": ("network-controller", "controller", 8090),
}


class Site:
    """A world with keys that sign; a host's list is in a file, or at a service of its own."""

    def __init__(self, world: World, directory: Path) -> None:
        self.world = world
        self.directory = directory
        self.signing = Signing(directory)

    def file(self, host: str) -> Path:
        return self.directory / f"{host}_revocations"

    def put(self, host: str, number: int, tunnels: RevokedTunnels) -> None:
        """As Ansible does."""
        written = self.file(host).with_suffix(".new")
        written.write_text(self.signing.revoked(number, tunnels) + "\n", encoding="ascii")
        written.replace(self.file(host))

    def api(self, host: str) -> dict[str, Any]:
        return {**self.signing.device, "revocations_file": str(self.file(host))}

    def watched(self, agent: Agent) -> None:
        """Have the agent go by a list that revokes nothing: its companion looks by now."""
        self.put(agent.host, 1, RevokedTunnels())
        wait_until(lambda: agent.status().get("revocations") == 1, 20, "its companion looks")

    def service(self, host: str, unit: str) -> Service:
        return Service(self, host, unit)


class Service:
    """A load balancer or controller on a host, for the agent there."""

    def __init__(self, site: Site, host: str, unit: str) -> None:
        self.world, self.host, self.site = site.world, host, site
        command, section, self.port = SERVICES[unit]
        self.url = f"http://127.0.0.1:{self.port}"
        config = {
            section: {"bind_address": "127.0.0.1", "bind_port": self.port},
            "api": {**site.signing.service(self.url), "allow_plain": True},
        }
        self.unit = unit
        state = site.directory / unit
        state.mkdir()
        self.world.environment["STATE_DIRECTORY"] = str(state)
        self.process = Agent(self.world, host, command, unit, config)
        del self.world.environment["STATE_DIRECTORY"]
        wait_until(self.process.status, 20, f"the {unit} answers")

    def access(self, role: Role, name: str) -> dict[str, Any]:
        """What an agent's file has for it."""
        token = self.site.signing.token(self.url, role, name)
        return {self.unit: {"url": self.url}, "api": {"token": token, **self.site.signing.device}}

    def call(self, method: str, path: str, body: Any = None) -> Any:
        with closing(self.world.socket(self.host, socket.AF_INET, socket.SOCK_STREAM)) as sock:
            sock.connect(("127.0.0.1", self.port))
            connection = http.client.HTTPConnection("127.0.0.1")
            connection.sock = sock
            data = None if body is None else json.dumps(body)
            headers = {"Content-Type": "application/json", **self.site.signing.bearer(self.url)}
            connection.request(method, path, data, headers)
            answer = connection.getresponse()
            said = json.loads(answer.read())
            assert answer.status < 300, said
            return said

    def put(self, number: int, tunnels: RevokedTunnels) -> None:
        text = self.site.signing.revoked(number, tunnels)
        self.call("PUT", "/revocations", {"revocations": text})

    def told(self, agent: Agent) -> None:
        """Wait until the agent's companion has asked."""
        wait_until(lambda: agent.status().get("revocations_age_s") is not None, 20, "it has asked")


@pytest.fixture
def site(world: World, tmp_path: Path) -> Site:
    return Site(world, tmp_path)


def two_endpoints(site: Site, **router: Any) -> tuple[Agent, Agent, Agent]:
    """A router, and two endpoints with a tunnel to it."""
    at, first = one_router(site.world, router=site.world.router("router_a", **router))
    second = second_device(site.world, **SECOND)
    wait_until(lambda: is_up(second), 20, "the second one is up")
    assert site.world.ping(BUSINESS[0])
    return at, first, second


def refused(router: Agent) -> int:
    figures = router.status().get("figures")
    return int(figures["drops"]["revoked"]) if figures else 0


def gone(router: Agent, second: Agent) -> None:
    """Only the second endpoint has no tunnel, and it tells its operator why."""
    wait_until(lambda: set(router.tunnels()) == {"endpoint_1"}, REVOKED_S, "it has no tunnel")
    wait_until(lambda: refused(router) >= 2, 20, "it tries again, and again")
    wait_until(lambda: problems(second), 20, "it says why")
    assert "router_a refuses all: this endpoint's key is revoked there" in problems(second)[0]
    assert set(router.tunnels()) == {"endpoint_1"}


def problems(agent: Agent) -> list[str]:
    return [one["what"] for one in agent.status().get("problems", [])]


def test_an_endpoint_is_revoked_by_a_file(site: Site) -> None:
    router, first, second = two_endpoints(site, api=site.api("router_a"))
    assert router.status()["revocations"] == 0
    site.watched(router)
    ping = start_ping(site.world, 300)
    site.put("router_a", 3, STOLEN)
    gone(router, second)
    assert lost(ping) == 0
    status = router.status()
    assert status["revocations"] == 3
    assert 0 <= status["revocations_age_s"] < 60
    assert router.log.count("tunnel to endpoint_2 is closed: its key is revoked") == 1
    assert router.log.count("refused endpoint_2 from") == 1
    # Neither a damaged file nor an older list takes that back, nor is traffic stopped by either.
    ping = start_ping(site.world, 300)
    site.file("router_a").write_text("damaged")
    wait_until(lambda: "is not taken" in router.log, 20, "the damaged list is told")
    site.put("router_a", 2, RevokedTunnels())
    before = refused(router)
    wait_until(lambda: refused(router) > before + 1, 20, "it is refused")
    assert lost(ping) == 0
    assert router.log.count("is not taken") == 1
    # It is kept where nobody tells it again.
    site.file("router_a").unlink()
    router.kill()
    router.start()
    wait_until(lambda: is_up(first), 20, "the other one is up again")
    wait_until(lambda: refused(router) >= 2, 20, "it is refused")
    assert set(router.tunnels()) == {"endpoint_1"}
    assert router.status()["revocations"] == 3


@pytest.mark.parametrize("unit", SERVICES)
def test_an_endpoint_is_revoked_by_a_service(site: Site, unit: str) -> None:
    service = site.service("router_a", unit)
    router, _, second = two_endpoints(site, **service.access(Role.ROUTER, "router_a"))
    service.told(router)
    ping = start_ping(site.world, 300)
    service.put(1, STOLEN)
    gone(router, second)
    assert lost(ping) == 0
    assert router.status()["revocations"] == 1
    # Without the service the list grows old, and that is all.
    service.process.kill()
    wait_until(lambda: router.status()["revocations_age_s"] > REVOKED_S, 20, "it grows old")
    assert site.world.ping(BUSINESS[0])
    assert set(router.tunnels()) == {"endpoint_1"}


def test_a_controller_refuses_a_device_by_itself_until_the_next_list(site: Site) -> None:
    service = site.service("router_a", "network_controller")
    router, _, second = two_endpoints(site, **service.access(Role.ROUTER, "router_a"))
    service.told(router)
    service.put(1, RevokedTunnels())
    service.call("DELETE", "/device/endpoint_2")
    gone(router, second)
    service.call("POST", "/device/endpoint_2/readmit")
    before = refused(router)
    wait_until(lambda: refused(router) > before + 1, 20, "never less until the next list")
    service.put(2, RevokedTunnels())
    wait_until(lambda: set(router.tunnels()) == {"endpoint_1", "endpoint_2"}, 20, "it is back")


@pytest.mark.parametrize("by", ["a file", "a service"])
def test_a_router_is_revoked(site: Site, by: str) -> None:
    world = site.world
    service = site.service("endpoint", "network_controller") if by == "a service" else None
    more = {"api": site.api("endpoint")}
    if service is not None:
        more = service.access(Role.ENDPOINT, "endpoint_1")
    routers = {name: world.router(name) for name in ("router_a", "router_b")}
    endpoint = world.endpoint(**more)
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    assert world.ping(BUSINESS[0])
    if service is not None:
        service.told(endpoint)
        service.put(1, CAPTURED)
    else:
        site.watched(endpoint)
        site.put("endpoint", 2, CAPTURED)

    def left() -> bool:
        tunnels = endpoint.tunnels()
        there = tunnels["router_a"]
        return there["state"] == "revoked" and not there["up"] and tunnels["router_b"]["active"]

    wait_until(left, ASKED_S if service is not None else REVOKED_S, "it has no tunnel there")
    assert world.ping(BUSINESS[0])
    wait_until(lambda: routers["router_a"].tunnels() == {}, 10, "and the router knows")
    assert problems(endpoint) == ["router_a is revoked"]
    assert endpoint.log.count("router_a is revoked: no tunnel to it") == 1
    endpoint.kill()
    if service is None:
        site.file("endpoint").unlink()
    endpoint.start()
    wait_until(lambda: endpoint.tunnels().get("router_b", {}).get("up"), 20, "the other one")
    assert endpoint.tunnels()["router_a"]["state"] == "revoked"
    assert routers["router_a"].tunnels() == {}
