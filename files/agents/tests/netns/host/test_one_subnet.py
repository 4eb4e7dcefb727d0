"""Two uplinks in one network: each answers for its own address, and ARP is as before afterwards."""

from __future__ import annotations

import pytest
from testbed import link
from testbed.wait import wait_until

from tests.netns.conftest import both_up
from tests.netns.host.test_host_network import cleanup
from tests.netns.host_network import dump, set_rp_filter
from tests.netns.world import BUSINESS, Agent, World

NEAR = {"router_a": ("up0", "192.0.2.1"), "router_b": ("up1", "192.0.2.2")}
FAR = {"router_a": "192.0.2.11", "router_b": "192.0.2.12"}
BACK_S = 3.0
KEYS = ("arp_ignore", "arp_announce")


@pytest.fixture
def lan(world: World) -> World:
    """Both uplinks and both routers at one switch."""
    world.host("switch")
    world.netns("switch").batch([link.bridge("br0"), *link.up("br0")])
    for number, (name, (up, near)) in enumerate(NEAR.items()):
        world.ip("endpoint", "link", "del", up)
        for host, interface, address in (("endpoint", up, near), (name, "wan0", FAR[name])):
            port = f"{host[:1]}{number}"
            world.link((host, interface), ("switch", port))
            world.ip("switch", "link", "set", port, "master", "br0")
            world.address(host, interface, f"{address}/24")
    for name in NEAR:
        world.router(name, server={"external_ip": FAR[name]})
    return world


def started(world: World, *, managed: bool = True) -> Agent:
    endpoint = world.endpoint(
        routers=[
            {"router_id": name, "external_ip": FAR[name], "bind_address": near}
            for name, (_, near) in NEAR.items()
        ],
        tunnel={"manage_policy_routing": managed},
    )
    wait_until(lambda: len(endpoint.tunnels()) == len(NEAR), 20, "it runs")
    return endpoint


def settings(world: World) -> list[str]:
    """Of up0, then of up1."""
    names = [f"net.ipv4.conf.{up}.{key}" for up, _ in NEAR.values() for key in KEYS]
    return world.exec("endpoint", "sysctl", "-n", *names).split()


def learned(world: World, router: str) -> bool:
    """Whether a router that asks anew finds the uplink's own hardware address."""
    up, near = NEAR[router]
    said = world.ip("endpoint", "-o", "link", "show", up).split()
    mac = said[said.index("link/ether") + 1]
    world.ip(router, "neigh", "flush", "dev", "wan0")
    world.exec(router, "ping", "-c", "1", "-W", "5", near, check=False)
    return mac in world.ip(router, "neigh", "show", near)


@pytest.mark.parametrize("rp_filter", [0, 1])
def test_tunnels_outlive_an_arp_refresh(lan: World, rp_filter: int) -> None:
    set_rp_filter(lan, rp_filter)
    before = dump(lan)
    endpoint = started(lan)
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    for _ in range(5):
        assert all(learned(lan, name) for name in NEAR)
    assert lan.ping(BUSINESS[0])
    assert both_up(endpoint)
    assert endpoint.status()["problems"] == []
    assert endpoint.stop() == 0
    wait_until(lambda: dump(lan) == before, 5, "the host is as it was")


def test_values_are_put_back_exactly_and_those_of_somebody_else_stay(lan: World) -> None:
    lan.exec("endpoint", "sysctl", "-qw", "net.ipv4.conf.up0.arp_announce=1")
    endpoint = started(lan)
    assert settings(lan) == ["1", "2", "1", "2"]
    lan.exec("endpoint", "sysctl", "-qw", "net.ipv4.conf.up1.arp_ignore=2")
    lan.exec("endpoint", "sysctl", "-qw", "net.ipv4.conf.up0.arp_ignore=0")
    wait_until(lambda: settings(lan) == ["1", "2", "2", "2"], BACK_S, "what is too little is back")
    assert "setting net/ipv4/conf/up0/arp_ignore=1 of tun0 removed by somebody" in endpoint.log
    assert endpoint.stop() == 0
    assert settings(lan) == ["0", "1", "2", "0"]


def test_settings_are_looked_at_however_much_else_happens(lan: World) -> None:
    started(lan)
    assert settings(lan) == ["1", "2", "1", "2"]
    route = "203.0.113.0/24 dev lo table 999"  # nothing that is looked into
    lan.ip("endpoint", "link", "set", "lo", "up")
    busy = f"while :; do ip route add {route}; ip route del {route}; done"
    flaps = lan.popen("endpoint", "sh", "-c", busy)
    try:
        lan.exec("endpoint", "sysctl", "-qw", "net.ipv4.conf.up0.arp_ignore=0")
        wait_until(lambda: settings(lan) == ["1", "2", "1", "2"], BACK_S, "it is back")
    finally:
        flaps.kill()
        flaps.wait(10)


def test_what_all_interfaces_have_needs_no_change(lan: World) -> None:
    lan.exec(
        "endpoint",
        "sysctl",
        "-qw",
        "net.ipv4.conf.all.arp_ignore=1",
        "net.ipv4.conf.all.arp_announce=2",
    )
    started(lan)
    assert settings(lan) == ["0", "0", "0", "0"]


@pytest.mark.parametrize("how", ["cleanup", "next start", "manager"])
def test_a_killed_agent_leaves_them_to_who_comes_next(lan: World, how: str) -> None:
    lan.exec("endpoint", "sysctl", "-qw", "net.ipv4.conf.up0.arp_announce=1")
    lan.managed = how == "manager"
    endpoint = started(lan)
    endpoint.kill()
    assert settings(lan) == ["1", "2", "1", "2"]
    if how == "cleanup":
        assert cleanup(lan, endpoint)[0] == 0
    else:
        if how == "next start":
            endpoint.config["tunnel"]["manage_policy_routing"] = False
            endpoint.write(endpoint.config)
        endpoint.start()
        wait_until(lambda: len(endpoint.tunnels()) == len(NEAR), 20, "it runs again")
        if how == "manager":
            assert settings(lan) == ["1", "2", "1", "2"]
            assert endpoint.stop() == 0
    assert settings(lan) == ["0", "1", "0", "0"]


def test_uplinks_that_part_are_as_they_were(lan: World) -> None:
    endpoint = started(lan)
    assert settings(lan) == ["1", "2", "1", "2"]
    lan.ip("endpoint", "addr", "del", "192.0.2.2/24", "dev", "up1")
    wait_until(lambda: settings(lan) == ["0"] * 4, BACK_S, "as before")
    assert endpoint.status()["problems"] == []


def test_it_is_told_where_it_is_not_arranged(lan: World) -> None:
    endpoint = started(lan, managed=False)
    assert settings(lan) == ["0"] * 4
    for up, _ in NEAR.values():
        assert (
            f"{up} answers ARP for another uplink in its network, whose tunnel may die by it"
            f" (sysctl net/ipv4/conf/{up}/arp_ignore, 1 is needed):"
            " tunnel.manage_policy_routing: true arranges it"
        ) in endpoint.log
