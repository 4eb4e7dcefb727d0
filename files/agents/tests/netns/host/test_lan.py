"""A LAN behind an endpoint: reached from behind a router, with its own addresses."""

from __future__ import annotations

import signal
import socket
from contextlib import closing
from typing import Any

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import both_up, is_up
from tests.netns.counting import count, counted
from tests.netns.host.test_host_network import cleanup
from tests.netns.transfer import Echo, family_of
from tests.netns.world import BUSINESS, ENDPOINT_TUN, UNDERLAY6, Agent, World

LAN = ("192.168.7.0/24", "fd00:7::/64")
GATEWAY = ("192.168.7.1", "fd00:7::1")
DEVICE = ("192.168.7.10", "fd00:7::10")
BOUND = {"endpoint_prefixes": ["192.168.0.0/16", "fd00:7::/48"]}
ALL_FORWARD = "net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding"


@pytest.fixture
def lan(world: World) -> World:
    """The world with a device in a LAN behind the endpoint."""
    world.host("device")
    world.link(("endpoint", "lan0"), ("device", "eth0"))
    for gateway, own, bits in zip(GATEWAY, DEVICE, (24, 64), strict=True):
        world.address("endpoint", "lan0", f"{gateway}/{bits}")
        world.address("device", "eth0", f"{own}/{bits}")
        world.ip("device", "route", "add", "default", "via", gateway)
    return world


def lead(world: World, router: str) -> None:
    """Have the business server send to the LAN by this router."""
    for network, via in zip(LAN, ("198.51.100.%d", "2001:db8:100::%d"), strict=True):
        number = {"router_a": 1, "router_b": 2}[router]
        world.ip("business", "route", "replace", network, "via", via % number)


def ping(world: World, host: str, address: str) -> bool:
    words = ("ping", "-q", "-c", "3", "-i", "0.1", "-W", "5", address)
    return " 3 received" in world.exec(host, *words, check=False)


def seen_as(world: World, host: str, version: int) -> str:
    """The address that the business server sees a TCP connection of `host` come from."""
    family, address = ((socket.AF_INET, BUSINESS[0]), (socket.AF_INET6, BUSINESS[1]))[version == 6]
    with closing(world.socket("business", family, socket.SOCK_STREAM)) as server:
        server.bind((address, 0))
        server.listen()
        with closing(world.socket(host, family, socket.SOCK_STREAM)) as client:
            client.connect(server.getsockname()[:2])
            accepted, peer = server.accept()
            accepted.close()
    return str(peer[0])


def forwarding(world: World) -> list[str]:
    return [world.exec("endpoint", "sysctl", "-n", name).strip() for name in ALL_FORWARD]


def routed(world: World, router: str) -> str:
    """The routes of the router's agent."""
    return "".join(
        world.ip(router, family, "route", "show", "proto", "83") for family in ("-4", "-6")
    )


def advertising(world: World, *prefixes: str, **tunnel: Any) -> Agent:
    """An endpoint of router_a alone."""
    near, far = UNDERLAY6["router_a"]
    entry = {"router_id": "router_a", "external_ip": far, "bind_address": near}
    return world.endpoint(routers=[entry], tunnel={"advertise": list(prefixes), **tunnel})


def test_a_lan_is_reached_and_keeps_its_addresses(lan: World, codec: str) -> None:
    router = lan.router("router_a", tunnel=BOUND)
    endpoint = advertising(lan, *LAN)
    wait_until(lambda: is_up(endpoint), 20, "the tunnel is up")
    lead(lan, "router_a")
    for version, own, business in ((4, DEVICE[0], BUSINESS[0]), (6, DEVICE[1], BUSINESS[1])):
        assert ping(lan, "business", own)
        assert ping(lan, "device", business)
        assert seen_as(lan, "device", version) == own, "it is masqueraded"
        assert seen_as(lan, "endpoint", version) != ENDPOINT_TUN[version == 6], "and this is not"
    assert router.tunnels()["endpoint_1"]["prefixes"] == list(LAN)
    assert endpoint.status()["advertised"] == list(LAN)
    assert (endpoint.status()["problems"], router.status()["problems"]) == ([], [])
    assert (endpoint.status()["codec"], router.status()["codec"]) == (codec, codec)


def test_only_what_is_advertised_may_come_from_there(lan: World, codec: str) -> None:
    router = lan.router("router_a", tunnel=BOUND)
    endpoint = advertising(lan, *LAN)
    wait_until(lambda: is_up(endpoint), 20, "the tunnel is up")
    lead(lan, "router_a")
    lan.address("device", "eth0", "192.168.8.10/24")
    lan.ip("business", "route", "add", "192.168.8.0/24", "via", "198.51.100.1")
    before = router.status()["figures"]["drops"]["source"]
    lan.exec("device", "ping", "-c", "3", "-W", "1", "-I", "192.168.8.10", BUSINESS[0], check=False)
    wait_until(
        lambda: router.status()["figures"]["drops"]["source"] >= before + 3, 10, "they are counted"
    )
    assert ping(lan, "device", BUSINESS[0])


def test_a_lan_is_reached_by_the_other_router_after_a_failure(lan: World) -> None:
    routers = {name: lan.router(name, tunnel=BOUND) for name in ("router_a", "router_b")}
    endpoint = lan.endpoint(tunnel={"advertise": list(LAN)})
    wait_until(lambda: both_up(endpoint), 20, "both tunnels are up")
    first = next(name for name, tunnel in endpoint.tunnels().items() if tunnel["active"])
    (second,) = routers.keys() - {first}
    lead(lan, first)
    assert ping(lan, "business", DEVICE[0])
    with closing(lan.socket("business", socket.AF_INET, socket.SOCK_STREAM)) as server:
        server.bind((BUSINESS[0], 0))
        server.listen()
        with closing(lan.socket("device", socket.AF_INET, socket.SOCK_STREAM)) as client:
            client.connect(server.getsockname())
            accepted, _ = server.accept()
            with closing(accepted):
                lan.blackhole(first)
                wait_until(lambda: endpoint.tunnels()[second]["active"], 60, "traffic moves")
                lead(lan, second)
                accepted.settimeout(20)
                client.sendall(b"still here")
                assert accepted.recv(100) == b"still here"
                accepted.sendall(b"so am I")
                assert client.recv(100) == b"so am I", "a connection goes on by the other router"
    assert all(ping(lan, "business", own) for own in DEVICE)


def test_routes_come_and_go_with_the_tunnel(lan: World) -> None:
    router = lan.router("router_a", tunnel=BOUND)
    endpoint = advertising(lan, *LAN)
    wait_until(lambda: is_up(endpoint), 20, "the tunnel is up")
    wait_until(lambda: all(network in routed(lan, "router_a") for network in LAN), 5, "routes")
    endpoint.stop()
    wait_until(lambda: routed(lan, "router_a") == "", 5, "no routes")
    endpoint.start()
    wait_until(lambda: all(network in routed(lan, "router_a") for network in LAN), 20, "routes")
    router.stop()
    assert routed(lan, "router_a") == ""


@pytest.mark.parametrize(
    ("bound", "advertised", "router_says", "endpoint_says"),
    [
        (
            {},
            "192.168.7.0/24",
            "192.168.7.0/24 is outside of tunnel.endpoint_prefixes",
            "router_a refuses 192.168.7.0/24: it is not among what endpoints may have there",
        ),
        (
            BOUND,
            "192.0.0.0/8",
            "192.0.0.0/8 is outside of tunnel.endpoint_prefixes",
            "router_a refuses 192.0.0.0/8: it is not among",
        ),
        (
            {"endpoint_prefixes": ["198.51.0.0/16"]},
            "198.51.100.128/25",
            "198.51.100.128/25 lies in 198.51.100.0/24, which egress0 is connected to",
            "router_a refuses 198.51.100.128/25: it is or holds the router's own",
        ),
    ],
)
def test_what_may_not_be_advertised(
    lan: World, bound: dict[str, Any], advertised: str, router_says: str, endpoint_says: str
) -> None:
    router = lan.router("router_a", tunnel=bound)
    endpoint = advertising(lan, advertised)
    wait_until(lambda: router_says in router.log, 20, "the router says so")
    wait_until(lambda: endpoint_says in endpoint.log, 20, "and the endpoint")
    wait_until(lambda: router.status()["claims_refused"] >= 3, 20, "it tries on, and is counted")
    assert endpoint.log.count(endpoint_says) == 1
    assert any(endpoint_says in problem["what"] for problem in endpoint.status()["problems"])
    assert endpoint.status()["figures"]["drops"]["source"] >= 1
    assert router.tunnels() == {}
    assert routed(lan, "router_a") == ""


def test_of_two_endpoints_that_advertise_the_same_the_first_is_kept(lan: World) -> None:
    lan.host("other")
    lan.link(("other", "up0"), ("router_a", "wan1"))
    lan.address("other", "up0", "192.0.2.9/30")
    lan.address("router_a", "wan1", "192.0.2.10/30")
    router = lan.router("router_a", tunnel=BOUND)
    endpoint = advertising(lan, *LAN)
    wait_until(lambda: is_up(endpoint), 20, "the tunnel is up")
    lead(lan, "router_a")
    other = lan.endpoint(
        host="other",
        endpoint={"endpoint_id": "endpoint_2"},
        tunnel={
            "advertise": ["192.168.0.0/20"],
            "tun_ipv4": "10.10.100.2",
            "tun_ipv6": "fd00:10:100::2",
        },
        routers=[{"router_id": "router_a", "external_ip": "192.0.2.10"}],
    )
    said = "router_a refuses 192.168.0.0/20: another endpoint has it or a part of it"
    wait_until(lambda: said in other.log, 20, "the second one is told")
    assert "two devices say that they have 192.168.7.0/24 or 192.168.0.0/20" in router.log
    wait_until(lambda: router.status()["second_devices_refused"] >= 2, 20, "it is counted")
    assert router.tunnels().keys() == {"endpoint_1"}
    assert ping(lan, "business", DEVICE[0])
    endpoint.stop()
    wait_until(lambda: is_up(other), 20, "what nobody has is free")
    assert not any("refuses" in problem["what"] for problem in other.status()["problems"])


def test_the_host_forwards_while_the_agent_runs(lan: World) -> None:
    before = forwarding(lan)
    assert before == ["0", "0"]
    lan.router("router_a", tunnel=BOUND)
    endpoint = advertising(lan, LAN[0])
    wait_until(lambda: is_up(endpoint), 20, "the tunnel is up")
    assert forwarding(lan) == ["1", "0"], "only what is advertised is forwarded"
    lan.exec("endpoint", "sysctl", "-w", "net.ipv4.ip_forward=0")
    wait_until(lambda: forwarding(lan)[0] == "1", 5, "it is put back")
    wait_until(lambda: endpoint.status()["put_back"] >= 1, 5, "and counted")
    lan.exec("endpoint", "sysctl", "-w", "net.ipv4.conf.lan0.forwarding=0")
    lead(lan, "router_a")
    wait_until(lambda: ping(lan, "business", DEVICE[0]), 10, "of the interface too")
    assert endpoint.stop() == 0
    assert forwarding(lan) == before


def test_a_run_without_a_lan_turns_off_what_the_one_before_needed(lan: World) -> None:
    lan.managed = True
    endpoint = advertising(lan, *LAN)
    wait_until(lambda: bool(endpoint.status()), 20, "it runs")
    assert forwarding(lan) == ["1", "1"]
    for left, expected in ((LAN[:1], ["1", "0"]), ((), ["0", "0"])):
        tunnel = {**endpoint.config["tunnel"], "advertise": list(left)}
        endpoint.write({**endpoint.config, "tunnel": tunnel})
        endpoint.restart()
        wait_until(lambda: bool(endpoint.status()), 20, "it runs again")
        assert forwarding(lan) == expected


def test_an_interface_that_comes_later_forwards_and_is_left_as_it_was(lan: World) -> None:
    names = "net.ipv4.ip_forward", "net.ipv4.conf.lan1.forwarding"
    lan.host("later")
    lan.link(("endpoint", "lan1"), ("later", "eth0"))
    for name, value in zip(names, "10", strict=True):
        lan.exec("endpoint", "sysctl", "-w", f"{name}={value}")
    endpoint = advertising(lan, "192.168.0.0/16")
    wait_until(lambda: bool(endpoint.status()), 20, "it runs")

    def values() -> list[str]:
        return [lan.exec("endpoint", "sysctl", "-n", name).strip() for name in names]

    assert values() == ["1", "0"]
    lan.address("endpoint", "lan1", "192.168.8.1/24")
    wait_until(lambda: values() == ["1", "1"], 10, "it forwards")
    noted = endpoint.directory / "notes.json"
    wait_until(lambda: "lan1" in noted.read_text(encoding="utf-8"), 10, "it is noted")
    assert endpoint.stop() == 0
    assert values() == ["1", "0"]


def test_cleanup_turns_it_off_again(lan: World) -> None:
    endpoint = advertising(lan, *LAN)
    wait_until(lambda: bool(endpoint.status()), 20, "it runs")
    assert forwarding(lan) == ["1", "1"]
    endpoint.kill()
    assert forwarding(lan) == ["1", "1"]
    assert cleanup(lan, endpoint) == (0, "")
    assert forwarding(lan) == ["0", "0"]


def test_a_network_that_is_not_behind_it_is_a_problem(lan: World) -> None:
    endpoint = advertising(lan, LAN[0], "192.168.9.0/24")
    wait_until(lambda: bool(endpoint.status()), 20, "it runs")
    text = "tunnel.advertise: 192.168.9.0/24 is not behind this host: it has no route there"
    assert [problem["what"] for problem in endpoint.status()["problems"]] == [text]
    lan.ip("endpoint", "route", "add", "192.168.9.0/24", "via", DEVICE[0])
    wait_until(lambda: endpoint.status()["problems"] == [], 5, "it has one")


def test_what_a_reload_takes_from_an_endpoint_is_gone_at_once(lan: World) -> None:
    router = lan.router("router_a", tunnel=BOUND)
    endpoint = advertising(lan, *LAN)
    wait_until(lambda: is_up(endpoint), 20, "the tunnel is up")
    narrower = {**router.config["tunnel"], "endpoint_prefixes": ["192.168.0.0/16"]}
    router.write({**router.config, "tunnel": narrower})
    router.signal(signal.SIGHUP)
    text = "tunnel to endpoint_1 is closed: fd00:7::/64 is outside of tunnel.endpoint_prefixes"
    wait_until(lambda: text in router.log, 10, "the tunnel is closed")
    wait_until(lambda: routed(lan, "router_a") == "", 5, "and not routed")


@pytest.mark.parametrize("version", [4, 6])
def test_what_is_forwarded_between_the_tunnels_port_and_itself_is_tracked(
    lan: World, version: int
) -> None:
    """A firewall of the router's host lets answers pass, as ones of what it has seen begin."""
    port = 51820
    lan.router("router_a", tunnel=BOUND)
    endpoint = advertising(lan, *LAN)
    wait_until(lambda: is_up(endpoint), 20, "the tunnel is up")
    lead(lan, "router_a")
    count(lan, "forward", 0, "ct state untracked")
    business, device, own = (pair[version == 6] for pair in (BUSINESS, DEVICE, ENDPOINT_TUN))
    asked = (("endpoint", own, "business", business), ("device", device, "business", business))
    for host, source, there, server in (*asked, ("business", business, "device", device)):
        with (
            Echo(lan, server, there, port),
            lan.socket(host, family_of(source), socket.SOCK_DGRAM) as asking,
        ):
            asking.bind((source, port))
            asking.sendto(b"question", (server, port))
            assert asking.recv(100) == b"question"
    assert counted(lan) == 0
