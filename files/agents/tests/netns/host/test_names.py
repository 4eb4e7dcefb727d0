"""Routers that an endpoint knows by name."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import is_up
from tests.netns.host_network import FAR, routers_behind_gateways
from tests.netns.world import BUSINESS, UNDERLAY4, UNDERLAY6, Agent, World

NAME = "router-a.example.net"
FOUR, SIX = UNDERLAY4["router_a"][1], UNDERLAY6["router_a"][1]
NOWHERE = "192.0.2.200"
RESOLVER = """
import os, pathlib, socket, time
_real = socket.getaddrinfo

def look_up(host, *arguments, **named):
    if host != "{name}":
        return _real(host, *arguments, **named)
    time.sleep(0.5)  # a slow one: nothing may wait for it
    lines = pathlib.Path("{file}").read_text().split()
    if not lines:
        raise socket.gaierror(socket.EAI_AGAIN, "try again")
    return [answer for line in lines for answer in _real(line, *arguments, **named)]

socket.getaddrinfo = look_up
"""


class Zone:
    """What the name stands for, for every agent that is started."""

    def __init__(self, directory: Path) -> None:
        self._file = directory / "zone"
        self.state()
        code = RESOLVER.format(name=NAME, file=self._file)
        (directory / "sitecustomize.py").write_text(code, encoding="utf-8")

    def state(self, *addresses: str) -> None:
        self._file.write_text(" ".join(addresses), encoding="ascii")


@pytest.fixture
def zone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Zone:
    directory = tmp_path / "resolver"
    directory.mkdir()
    path = os.pathsep.join(filter(None, [str(directory), os.environ.get("PYTHONPATH")]))
    monkeypatch.setenv("PYTHONPATH", path)
    return Zone(directory)


def begin(world: World) -> tuple[Agent, Agent]:
    router = world.router("router_a")
    endpoint = world.endpoint(
        routers=[{"router_id": "router_a", "host": NAME}], tunnel={"keepalive_interval": 1.0}
    )
    return router, endpoint


FAR4 = FAR["router_a"][0]


@pytest.fixture
def pushable(world: World, zone: Zone) -> Agent:
    """An endpoint of a router that its name alone leads to, which is on no link of the host's."""
    routers_behind_gateways(world, "router_a")
    world.router("router_a", server={"bind_address": "::"})
    zone.state(FAR4)
    endpoint = world.endpoint(
        routers=[{"router_id": "router_a", "host": NAME}],
        push={"routes_within": ["203.0.113.0/24"]},
    )
    wait_until(lambda: is_up(endpoint), 20, "tunnel up")
    return endpoint


def push(endpoint: Agent, version: int, route: str) -> str | None:
    config = {"tunnel": {"routes": [route]}}
    error = endpoint.command("apply_config", version=version, config=config)["error"]
    return None if error is None else str(error)


def test_a_pushed_route_does_not_take_a_routers_name(world: World, pushable: Agent) -> None:
    error = push(pushable, 1, "203.0.113.0/24")
    said = f"203.0.113.0/24 overlaps with {FAR4}/32, the address of routers: router_a"
    assert error is not None
    assert said in error
    assert "203.0.113.0/24" not in world.ip("endpoint", "route")
    assert world.ping(BUSINESS[0])
    assert push(pushable, 2, "203.0.113.128/25") is None
    assert "203.0.113.128/25" in world.ip("endpoint", "route")


def test_a_name_that_comes_to_lead_into_a_pushed_route_has_it_left_out(
    world: World, zone: Zone, pushable: Agent
) -> None:
    assert push(pushable, 1, "203.0.113.128/25") is None
    zone.state(FAR4, "203.0.113.130")
    pushable.signal(signal.SIGHUP)  # names are asked for anew
    wait_until(
        lambda: "203.0.113.128/25" not in world.ip("endpoint", "route"), 15, "the route is gone"
    )
    assert "the pushed configuration is left out" in pushable.log
    wait_until(lambda: pushable.status()["config_version"] == 0, 5, "and the status says so")
    assert world.ping(BUSINESS[0])


def seen_over(router: Agent) -> int:
    """The family that the router has its endpoint at."""
    return 6 if router.tunnels()["endpoint_1"]["address"].startswith("[") else 4


@pytest.mark.parametrize(("answer", "family"), [((FOUR,), 4), ((NOWHERE, SIX), 6)])
def test_a_tunnel_to_a_name_comes_up_over_an_address_that_answers(
    world: World, zone: Zone, answer: tuple[str, ...], family: int
) -> None:
    router, endpoint = begin(world)
    wait_until(lambda: f"cannot look up {NAME}" in endpoint.log, 10, "no answer yet")
    zone.state(*answer)
    wait_until(lambda: is_up(endpoint), 25, "tunnel up")
    assert seen_over(router) == family
    assert world.ping(BUSINESS[0])
    assert endpoint.log.count("cannot look up") == 1
    assert endpoint.status()["longest_turn_ms"] < 400


@pytest.mark.parametrize(
    "wrong", [NOWHERE, "127.0.0.1", "0.0.0.0", "::1", "224.0.0.1", "240.0.0.1"]
)
def test_a_wrong_answer_is_got_over(world: World, zone: Zone, wrong: str) -> None:
    """As a network gives it that wants somebody to log in first, or a zone with an error."""
    zone.state(wrong)
    _, endpoint = begin(world)
    wait_until(lambda: f"{NAME} is {wrong}" in endpoint.log, 10, "the wrong answer")
    zone.state(FOUR)
    wait_until(lambda: is_up(endpoint), 25, "tunnel up")
    assert world.ping(BUSINESS[0])
    assert "Traceback" not in endpoint.log


def test_a_session_stays_where_it_is_and_moves_when_it_fails(world: World, zone: Zone) -> None:
    zone.state(SIX)
    world.managed = True
    router, endpoint = begin(world)
    wait_until(lambda: is_up(endpoint), 20, "tunnel up")
    zone.state(FOUR)
    endpoint.restart()
    wait_until(lambda: f"{NAME} is {FOUR}" in endpoint.log, 10, "the new answer")
    assert "sessions of an earlier run go on" in endpoint.log
    assert world.ping(BUSINESS[0])
    assert seen_over(router) == 6
    world.exec(
        "router_a",
        "nft",
        "add table ip6 gone; add chain ip6 gone i { type filter hook prerouting priority -400; };"
        "add rule ip6 gone i udp dport 51820 drop",
    )
    wait_until(lambda: seen_over(router) == 4, 30, "the tunnel is where the name is now")
    wait_until(lambda: is_up(endpoint), 10, "tunnel up")
    assert world.ping(BUSINESS[0])
