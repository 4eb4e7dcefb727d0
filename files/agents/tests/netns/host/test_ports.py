"""Routers with several ports, on networks that pass only some of them."""

from __future__ import annotations

import re
import signal
import socket

import pytest
from testbed.wait import NotInTime, wait_until

from nrs.endpoint.uplink import TRY_S
from tests.netns.conftest import is_up
from tests.netns.test_asked_address import have_a_second
from tests.netns.world import BUSINESS, UNDERLAY6, Agent, World

PORTS = (51820, 443)
ASKED, OTHER = PORTS


def begin(
    world: World,
    *,
    path: tuple[str, str] = UNDERLAY6["router_a"],
    bound: str = "::",
    ports: tuple[int, ...] = PORTS,
    keepalive: float = 1.0,
) -> tuple[Agent, Agent]:
    """A router at both ports, and an endpoint that knows it."""
    server = {"bind_ports": list(PORTS), "bind_address": bound}
    router = world.router("router_a", server=server)
    wait_until(lambda: router.status() != {}, 20, "the router runs")
    entry = {"router_id": "router_a", "external_ip": path[1], "bind_address": path[0]}
    endpoint = world.endpoint(
        routers=[{**entry, "ports": list(ports)}], tunnel={"keepalive_interval": keepalive}
    )
    return router, endpoint


def shut(world: World, port: int) -> None:
    """Let nothing through to that port of the router, or from it."""
    rules = (
        f"add table inet shut{port};"
        f"add chain inet shut{port} i {{ type filter hook prerouting priority -400; }};"
        f"add chain inet shut{port} o {{ type filter hook output priority -400; }};"
        f"add rule inet shut{port} i udp dport {port} drop;"
        f"add rule inet shut{port} o udp sport {port} drop"
    )
    world.exec("router_a", "nft", rules)


def opened(world: World, port: int) -> None:
    world.exec("router_a", "nft", f"delete table inet shut{port}")


def port_used(router: Agent, endpoint: Agent) -> int:
    """Where both ends say that the tunnel is; 0: it is not up, or they do not agree."""
    seen, own = router.tunnels().get("endpoint_1"), endpoint.tunnels().get("router_a")
    if not seen or not own or not seen["up"] or not own["up"]:
        return 0
    return int(seen["port"]) if own["address"].endswith(f":{seen['port']}") else 0


def sessions(router: Agent) -> int:
    return router.log.count("is up (")


def test_a_port_that_is_filtered_from_the_start_is_not_waited_for(world: World, codec: str) -> None:
    shut(world, ASKED)
    router, endpoint = begin(world)
    wait_until(lambda: port_used(router, endpoint) == OTHER, 20, "the tunnel is at the other port")
    assert world.ping(BUSINESS[0])
    wait_until(lambda: f":{OTHER}\n" in endpoint.log, 5, "it says where the tunnel goes to")
    opened(world, ASKED)
    with pytest.raises(NotInTime):
        wait_until(lambda: port_used(router, endpoint) == ASKED, 2 * TRY_S, "a live tunnel stays")
    assert sessions(router) == 1


def test_a_port_that_is_filtered_later_is_left_with_the_session(world: World, codec: str) -> None:
    router, endpoint = begin(world)
    wait_until(lambda: port_used(router, endpoint), 20, "tunnel up")
    for _ in PORTS:
        shut_now = port_used(router, endpoint)
        shut(world, shut_now)
        moved = {*PORTS} - {shut_now}
        wait_until(lambda to=moved: port_used(router, endpoint) in to, 30, "it is back")
        assert world.ping(BUSINESS[0])
        assert world.ping(BUSINESS[1])
        opened(world, shut_now)
    assert sessions(router) == 1, "it was the same tunnel all the time"


def test_a_session_is_answered_from_the_port_that_it_comes_in_at(world: World, codec: str) -> None:
    """Datagrams of a live session are bent to the other port: its answers leave from there."""
    router, endpoint = begin(world, ports=(ASKED,))
    wait_until(lambda: port_used(router, endpoint) == ASKED, 20, "tunnel up")
    far = UNDERLAY6["router_a"][1]
    # No connection tracking: whoever answers from the port that was not asked is not heard.
    rules = (
        "add table ip6 bend;"
        "add chain ip6 bend o { type filter hook output priority -400; };"
        "add chain ip6 bend i { type filter hook prerouting priority -400; };"
        f"add rule ip6 bend o ip6 daddr {far} udp dport {ASKED} notrack udp dport set {OTHER};"
        f"add rule ip6 bend i ip6 saddr {far} udp sport {ASKED} drop;"
        f"add rule ip6 bend i ip6 saddr {far} udp sport {OTHER} notrack udp sport set {ASKED}"
    )
    world.exec("endpoint", "nft", rules)
    wait_until(lambda: router.tunnels()["endpoint_1"]["port"] == OTHER, 10, "it follows")
    wait_until(lambda: is_up(endpoint), 5, "the endpoint hears it")
    assert world.ping(BUSINESS[0])
    assert "tunnel to router_a is down" not in endpoint.log
    assert sessions(router) == 1


@pytest.mark.parametrize("port", PORTS)
@pytest.mark.parametrize(("underlay", "bound"), [(4, "0.0.0.0"), (4, "::"), (6, "::")])
def test_each_port_answers_from_the_address_that_was_asked(
    world: World, codec: str, underlay: int, bound: str, port: int
) -> None:
    path = have_a_second(world, underlay)
    router, endpoint = begin(world, path=path, bound=bound, ports=(port,))
    wait_until(lambda: port_used(router, endpoint) == port, 20, "tunnel up")
    assert world.ping(BUSINESS[0])


def second_endpoint(world: World, ports: list[int], *routes: str) -> Agent:
    """One more, behind another cable to the router."""
    world.host("second")
    world.link(("second", "up0"), ("router_a", "wan1"))
    world.address("second", "up0", "192.0.2.69/30")
    world.address("router_a", "wan1", "192.0.2.70/30")
    entry = {"router_id": "router_a", "external_ip": "192.0.2.70", "ports": ports}
    return world.endpoint(
        host="second",
        endpoint={"endpoint_id": "endpoint_2", "name": "two"},
        routers=[entry],
        tunnel={
            "tun_ipv4": "10.10.100.2",
            "tun_ipv6": "fd00:10:100::2",
            "routes": ["10.10.0.0/16", *routes],
        },
    )


def test_a_restarted_router_goes_on_with_the_sessions_of_each_port(
    world: World, codec: str
) -> None:
    world.managed = True
    router, first = begin(world, ports=(ASKED,), keepalive=10.0)
    second = second_endpoint(world, [OTHER])

    def at() -> dict[str, int]:
        return {name: one["port"] for name, one in router.tunnels().items() if one["up"]}

    both = {"endpoint_1": ASKED, "endpoint_2": OTHER}
    wait_until(lambda: is_up(first) and is_up(second) and at() == both, 20, "both tunnels up")
    for kill in (False, True):
        if kill:
            router.kill()
            router.start()
        else:
            router.restart()
        wait_until(lambda: at() == both, 20, "each is known at its port")
        for host, agent in (("endpoint", first), ("second", second)):
            assert " 3 received" in world.exec(
                host, "ping", "-q", "-c3", "-i0.1", "-W5", "10.10.1.1"
            )
            assert "tunnel to router_a is down" not in agent.log
    assert len(re.findall(r"(\d) of \1 sessions of an earlier run go on", router.log)) == 2
    assert sessions(router) == 2
    # Without a port, what came in there goes on where it comes in next.
    router.write({**router.config, "server": {**router.config["server"], "bind_ports": [OTHER]}})
    router.restart()
    wait_until(lambda: at().get("endpoint_2") == OTHER, 20, "the other one stays")
    assert listening(world) == [OTHER]
    # And back in another order.
    ports = [OTHER, ASKED]
    router.write({**router.config, "server": {**router.config["server"], "bind_ports": ports}})
    router.restart()
    wait_until(lambda: at() == both, 40, "both tunnels up again")
    assert listening(world) == [OTHER, ASKED]


def listening(world: World) -> list[int]:
    """The router's UDP ports, the lowest first."""
    found = re.findall(r":(\d+)\s", world.exec("router_a", "ss", "-Hlun"))
    return sorted({int(port) for port in found} & set(PORTS))


def test_other_ports_take_a_restart_and_a_reload_says_so(world: World) -> None:
    router, endpoint = begin(world)
    wait_until(lambda: is_up(endpoint), 20, "tunnel up")
    server = {**router.config["server"], "bind_ports": [*PORTS, 4500]}
    router.write({**router.config, "server": server})
    router.signal(signal.SIGHUP)
    text = "server.bind_port or server.bind_ports changed, which takes a restart"
    wait_until(lambda: text in router.log, 10, "it is refused")
    assert is_up(endpoint)
    assert world.ping(BUSINESS[0])
    told = router.status()
    assert told["ports"] == list(PORTS)
    assert (told["reloads"], told["reload_error"]) == (1, text)
    (file,) = told["files_not_in_force"]
    assert file.endswith(".yaml")


def test_an_endpoint_that_is_restarted_stays_at_the_port_of_its_session(
    world: World, codec: str
) -> None:
    world.managed = True
    shut(world, ASKED)
    router, endpoint = begin(world)
    wait_until(lambda: port_used(router, endpoint) == OTHER, 20, "tunnel up")
    opened(world, ASKED)
    endpoint.restart()
    wait_until(lambda: "1 of 1 sessions of an earlier run go on" in endpoint.log, 20, "it goes on")
    wait_until(lambda: port_used(router, endpoint) == OTHER, 20, "where it was")
    assert world.ping(BUSINESS[0])
    assert sessions(router) == 1


def test_a_port_that_is_taken_is_named(world: World) -> None:
    with world.socket("router_a", socket.AF_INET6, socket.SOCK_DGRAM) as taken:
        taken.bind(("::", OTHER))
        router = world.router("router_a", server={"bind_ports": list(PORTS)})
        assert router.process.wait(20) == 1
    assert f"Address already in use: 'UDP :: port {OTHER}'" in router.log
    assert "Traceback" not in router.log
