"""Hosts and sites with one IP family alone."""

from __future__ import annotations

import re
from typing import Any

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import is_up
from tests.netns.world import BUSINESS, ENDPOINT_TUN, ROUTER_TUN, UNDERLAY4, Agent, World

OFF = "IPv6 is switched off"
ROUTES = {4: ["10.10.0.0/16", "198.51.100.0/24"], 6: ["fd00:10::/32", "2001:db8:100::/64"]}
WITHOUT = {4: {"tun_ipv6": None}, 6: {"tun_ipv4": None}}


def switch_off(world: World, host: str) -> None:
    world.exec(
        host,
        "sysctl",
        "-qw",
        "net.ipv6.conf.all.disable_ipv6=1",
        "net.ipv6.conf.default.disable_ipv6=1",
    )


def start(world: World, bound: str = "::", **tunnel: Any) -> tuple[Agent, Agent]:
    router = world.router("router_a", server={"bind_address": bound})
    near, far = UNDERLAY4["router_a"]
    entry = {"router_id": "router_a", "external_ip": far, "bind_address": near}
    endpoint = world.endpoint(routers=[entry], tunnel=tunnel)
    wait_until(lambda: is_up(endpoint), 20, "tunnel up")
    return router, endpoint


@pytest.mark.parametrize("bound", ["::", "0.0.0.0"])
@pytest.mark.parametrize("hosts", [("endpoint",), ("router_a",), ("endpoint", "router_a")])
def test_a_host_with_ipv6_switched_off_runs_with_ipv4_alone(
    world: World, hosts: tuple[str, ...], bound: str
) -> None:
    """The files are those of hosts with both."""
    for host in hosts:
        switch_off(world, host)
    router, endpoint = start(world, bound)
    assert world.ping(BUSINESS[0])
    assert world.ping(ROUTER_TUN["router_a"][0])
    for agent in (router, endpoint):
        assert agent.log.count(OFF) == (agent.host in hosts), agent.log
        assert "ERROR" not in agent.log
        assert agent.stop() == 0


def test_an_endpoint_is_told_that_a_router_carries_no_ipv6(world: World) -> None:
    switch_off(world, "router_a")
    _, endpoint = start(world)
    assert endpoint.log.count("router_a carries no IPv6") == 1


@pytest.mark.parametrize("version", [4, 6])
def test_a_site_with_one_family_in_its_tunnels(world: World, codec: str, version: int) -> None:
    absent = WITHOUT[version]
    world.managed = True
    router = world.router("router_a", tunnel=absent)
    near, far = UNDERLAY4["router_a"]
    endpoint = world.endpoint(
        routers=[{"router_id": "router_a", "external_ip": far, "bind_address": near}],
        tunnel={**absent, "routes": ROUTES[version]},
    )
    wait_until(lambda: is_up(endpoint), 20, "tunnel up")
    assert world.ping(BUSINESS[version == 6])
    assert world.ping(ROUTER_TUN["router_a"][version == 6])
    told = router.tunnels()["endpoint_1"]
    own = {"tun_ipv4": ENDPOINT_TUN[0], "tun_ipv6": ENDPOINT_TUN[1], **absent}
    assert {key: told[key] for key in own} == own
    assert endpoint.log.count("carries no") == 0
    for agent in (router, endpoint):
        agent.restart()
        wait_until(lambda agent=agent: agent.status() != {}, 10, "it runs again")
        assert re.search(r"(\d) of \1 sessions of an earlier run go on", agent.log)
        wait_until(lambda: is_up(endpoint), 5, "tunnel up")
        assert world.ping(BUSINESS[version == 6])


def test_a_file_for_ipv6_alone_on_a_host_without_it_is_refused(world: World) -> None:
    switch_off(world, "router_a")
    router = world.router("router_a", tunnel={"tun_ipv4": None})
    wait_until(lambda: router.process.poll() is not None, 20, "it ends")
    assert "IPv6 is switched off" in router.log
    assert "tunnel.tun_ipv4 is not given" in router.log
    assert "Traceback" not in router.log
