"""Tunnels over the address, and the interface, that was asked."""

from __future__ import annotations

import re
from typing import Any

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import is_up, one_router
from tests.netns.world import BUSINESS, UNDERLAY4, UNDERLAY6, UPLINK, Agent, World

UP = UPLINK["router_a"]
SECOND = {4: ("192.0.2.65", "192.0.2.66"), 6: ("2001:db8:a:2::1", "2001:db8:a:2::2")}
FAR, NEAR = "router_b", UPLINK["router_b"]
"""Of link-local tunnels: an interface with a lower index has the same addresses."""
LINK_LOCAL = ("fe80::a1", "fe80::a2")


def have_a_second(world: World, underlay: int) -> tuple[str, str]:
    """One more address at both ends, which the router's host would not choose by itself."""
    far = SECOND[underlay][1]
    bits = 30 if underlay == 4 else 64
    own = (UNDERLAY4 if underlay == 4 else UNDERLAY6)["router_a"][0]
    world.address("router_a", "wan0", f"{far}/{bits}")
    world.ip("endpoint", "route", "add", f"{far}/{32 if underlay == 4 else 128}", "dev", UP)
    return own, far


@pytest.mark.parametrize(
    ("underlay", "bound"),
    [(4, "0.0.0.0"), (4, "::"), (6, "::"), (4, SECOND[4][1]), (6, SECOND[6][1])],
)
def test_a_router_answers_from_the_address_that_was_asked(
    world: World, codec: str, underlay: int, bound: str
) -> None:
    path = have_a_second(world, underlay)
    router = world.router("router_a", server={"bind_address": bound})
    _, endpoint = one_router(world, path=path, router=router)
    assert world.ping(BUSINESS[0])
    # After a restart its answers come from there as well, and so does NO_SESSION.
    router.kill()
    router.start()
    wait_until(lambda: bool(router.tunnels().get("endpoint_1", {}).get("up")), 15, "known again")
    assert is_up(endpoint)
    assert world.ping(BUSINESS[0])


def have_link_locals(world: World) -> None:
    """fe80::a1 and fe80::a2 at the cable, and at another interface of both hosts too."""
    for host, interface, address in (
        ("endpoint", NEAR, LINK_LOCAL[0]),
        (FAR, "wan0", LINK_LOCAL[1]),
        ("endpoint", UPLINK["router_a"], LINK_LOCAL[0]),
        (FAR, "egress0", LINK_LOCAL[1]),
    ):
        world.ip(host, "addr", "add", f"{address}/64", "dev", interface, "nodad")


def up(endpoint: Agent) -> bool:
    return bool(endpoint.tunnels().get(FAR, {}).get("up"))


def link_local_endpoint(world: World, entry: dict[str, Any]) -> Agent:
    far = f"{LINK_LOCAL[1]}%{NEAR}"
    router = {"router_id": FAR, "external_ip": far, **entry}
    endpoint = world.endpoint(routers=[router], tunnel={"keepalive_interval": 1.0})
    wait_until(lambda: up(endpoint), 20, "tunnel up")
    return endpoint


@pytest.mark.parametrize("bound", ["::", f"{LINK_LOCAL[1]}%wan0"])
@pytest.mark.parametrize("entry", [{}, {"bind_address": f"{LINK_LOCAL[0]}%{NEAR}"}])
def test_a_tunnel_over_link_local_addresses(
    world: World, codec: str, bound: str, entry: dict[str, str]
) -> None:
    have_link_locals(world)
    router = world.router(FAR, server={"bind_address": bound})
    link_local_endpoint(world, entry)
    assert world.ping(BUSINESS[0])
    index = int(re.findall(r"^(\d+): wan0", world.ip(FAR, "-o", "link"), re.M)[0])
    assert f"%{index}]:" in router.tunnels()["endpoint_1"]["address"]


def test_a_link_local_session_outlives_the_processes_of_both_ends(world: World, codec: str) -> None:
    have_link_locals(world)
    world.managed = True
    router = world.router(FAR)
    endpoint = link_local_endpoint(world, {"bind_address": f"{LINK_LOCAL[0]}%{NEAR}"})
    for agent in (router, endpoint):
        agent.restart()
        wait_until(lambda agent=agent: agent.status() != {}, 10, "it runs again")
        assert re.search(r"(\d) of \1 sessions of an earlier run go on", agent.log)
        wait_until(lambda: up(endpoint), 5, "tunnel up")
        assert world.ping(BUSINESS[0])


def test_a_link_local_tunnel_follows_to_another_address_and_a_new_interface(
    world: World, codec: str
) -> None:
    have_link_locals(world)
    router = world.router(FAR)
    endpoint = link_local_endpoint(world, {})
    world.ip("endpoint", "addr", "add", "fe80::b1/64", "dev", NEAR, "nodad")
    for address in re.findall(r"inet6 (fe80:[^ ]+)", world.ip("endpoint", "addr", "show", NEAR)):
        if address != "fe80::b1/64":
            world.ip("endpoint", "addr", "del", address, "dev", NEAR)
    wait_until(
        lambda: router.tunnels()["endpoint_1"]["address"].startswith("[fe80::b1%"), 10, "moved"
    )
    assert world.ping(BUSINESS[0])
    world.ip("endpoint", "link", "del", NEAR)
    world.link(("endpoint", NEAR), (FAR, "wan0"))
    world.ip(FAR, "addr", "add", f"{LINK_LOCAL[1]}/64", "dev", "wan0", "nodad")
    wait_until(lambda: not up(endpoint), 15, "the tunnel is noticed to be down")
    wait_until(lambda: up(endpoint), 20, "tunnel up over the new interface")
    assert world.ping(BUSINESS[0])
