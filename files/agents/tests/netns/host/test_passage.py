"""A router whose host lets nothing pass from tunnels to the egress says so; others go on."""

from __future__ import annotations

import socket
import time
from contextlib import suppress
from ipaddress import ip_address

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import both_up
from tests.netns.host.test_guard import take
from tests.netns.timed.test_failover import active_of, start_ping
from tests.netns.world import BUSINESS, Agent, World

CHECKED = {"egress": {"check_ip": BUSINESS[0]}}


def filter_forwarded(world: World, router: str, *rules: str, policy: str = "accept") -> None:
    chain = f"type filter hook forward priority 0; policy {policy}; {'; '.join(rules)}"
    world.exec(router, "nft", f"table inet filter {{ chain FORWARD {{ {chain}; }}; }}")


def drop_forwarded(world: World, router: str, *rules: str) -> None:
    """As Docker, ufw and firewalld do it: what no rule lets pass is dropped."""
    filter_forwarded(world, router, *rules, policy="drop")


def let_pass(world: World, router: str) -> None:
    world.exec(router, "nft", "delete table inet filter")


def router_of(world: World, **changes: object) -> Agent:
    agent = world.router("router_b", **changes)
    wait_until(lambda: agent.status().get("role"), 20, "the router runs")
    return agent


def said(agent: Agent) -> str:
    return " ".join(problem["what"] for problem in agent.status().get("problems", ()))


def wait_shut(agent: Agent) -> float:
    began = time.monotonic()
    wait_until(lambda: agent.status()["egress_up"] is False, 8, "it says that nothing passes")
    return time.monotonic() - began


def wait_open(agent: Agent) -> None:
    wait_until(lambda: agent.status()["egress_up"], 8, "it passes packets again")
    assert said(agent) == ""


@pytest.mark.parametrize("check_ip", BUSINESS)
def test_a_forward_chain_that_drops_shows_at_start(world: World, check_ip: str) -> None:
    drop_forwarded(world, "router_b")
    agent = router_of(world, egress={"check_ip": check_ip})
    assert wait_shut(agent) < 5
    assert "chain inet filter FORWARD drops" in said(agent)
    assert "chain inet filter FORWARD drops" in agent.status()["egress_reason"]
    assert agent.command("metrics")["egress_up"] is False
    family = f"IPv{ip_address(check_ip).version}"
    assert agent.status()["passes"][family] == "shut"
    assert agent.log.count("from tunnels gets through") == 1
    let_pass(world, "router_b")
    wait_open(agent)
    assert agent.status()["passes"][family] == "open"
    assert agent.log.count("gets through to egress0 again") == 1


@pytest.mark.parametrize("shut", [0, 1])
def test_one_family_that_does_not_get_through(world: World, shut: int) -> None:
    """Whichever is `check_ip`; what passes by the other family says nothing."""
    both = {"egress": {"check_ip": BUSINESS[0], "other_check_ip": BUSINESS[1]}}
    agents = {name: world.router(name, **both) for name in ("router_a", "router_b")}
    endpoint = world.endpoint()
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    first = active_of(endpoint)
    agent, address = agents[first], BUSINESS[1 - shut]
    with world.socket("business", socket.AF_INET6, socket.SOCK_STREAM) as server:
        server.bind(("::", 8000))
        server.listen(64)
        source = ("10.10.100.1", "fd00:10:100::1")[1 - shut]
        connect_often(world, source, address, 8000, 3)
        wait_open(agent)
        filter_forwarded(world, first, f"meta nfproto {('ipv4', 'ipv6')[shut]} drop")
        until = time.monotonic() + 8
        while agent.status()["egress_up"] and time.monotonic() < until:
            connect_often(world, source, address, 8000, 3)
    assert f"no IPv{4 + 2 * shut} from tunnels gets through" in said(agent)
    assert agent.command("metrics")["egress_up"] is False
    wait_until(lambda: active_of(endpoint) != first, 10, "the endpoint has left")
    let_pass(world, first)
    wait_open(agent)
    assert agent.log.count("gets through to egress0 again") == 1


def test_a_forward_chain_that_drops_later_moves_the_endpoint(world: World) -> None:
    for name in ("router_a", "router_b"):
        world.router(name, **CHECKED)
    endpoint = world.endpoint()
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    with start_ping(world, 2000) as ping:
        wait_until(lambda: endpoint.status()["figures"]["rx_packets"] > 5, 10, "pings flow")
        first = active_of(endpoint)
        drop_forwarded(world, first)
        wait_until(lambda: active_of(endpoint) != first, 10, "the endpoint has left")
        assert world.ping(BUSINESS[0])
        ping.kill()


def test_where_all_routers_say_so_nobody_moves(world: World) -> None:
    agents = [world.router(name, **CHECKED) for name in ("router_a", "router_b")]
    endpoint = world.endpoint()
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    first = active_of(endpoint)
    other = next(agent for agent in agents if agent.host != first)
    drop_forwarded(world, other.host)
    wait_shut(other)
    moves = endpoint.log.count("traffic moves")
    assert moves >= 1, "the first tunnel is told of as a move"
    drop_forwarded(world, first)
    for agent in agents:
        wait_shut(agent)
    time.sleep(1)
    assert (active_of(endpoint), endpoint.log.count("traffic moves")) == (first, moves)
    for agent in agents:
        let_pass(world, agent.host)
    for agent in agents:
        wait_open(agent)
    assert world.ping(BUSINESS[0])


def test_only_old_connections_pass(world: World) -> None:
    agent = router_of(world, **CHECKED)
    wait_open(agent)
    drop_forwarded(world, "router_b", "ct state established,related accept")
    wait_shut(agent)


def test_masquerading_by_nobody(world: World) -> None:
    """What connection tracking does not see is not masqueraded."""
    agent = router_of(world, **CHECKED)
    wait_open(agent)
    world.exec(
        "router_b",
        "nft",
        "table ip nonat { chain c { type filter hook prerouting priority -350;"
        " iifname tun0 notrack; }; }",
    )
    wait_shut(agent)
    assert agent.log.count("from tunnels gets through") == 1


def test_reverse_path_filtering_that_refuses_the_answers(world: World) -> None:
    world.exec("router_b", "sysctl", "-q", "net.ipv4.conf.all.rp_filter=1")
    world.ip("router_b", "route", "add", f"{BUSINESS[0]}/32", "dev", "wan0", "metric", "1")
    world.ip("router_b", "route", "add", f"{BUSINESS[0]}/32", "dev", "egress0", "table", "100")
    world.ip("router_b", "rule", "add", "fwmark", "1", "lookup", "100")
    chain = "type filter hook prerouting priority -150; iifname tun0 meta mark set 1"
    world.exec("router_b", "nft", f"table inet marks {{ chain c {{ {chain}; }}; }}")
    agent = router_of(world, **CHECKED)
    wait_shut(agent)
    refused = f"rp_filter of egress0 refuses what {BUSINESS[0]} answers"
    wait_until(lambda: refused in agent.log, 8, "it says so")
    assert agent.log.count(refused) == 1


def test_a_route_that_leads_elsewhere(world: World) -> None:
    agent = router_of(world, **CHECKED)
    wait_open(agent)
    # Echoes of the host itself are bound to the egress.
    world.ip("router_b", "route", "add", f"{BUSINESS[0]}/32", "dev", "wan0", "metric", "1")
    wait_shut(agent)
    assert f"packets to {BUSINESS[0]} leave by wan0, not by egress0" in said(agent)
    world.ip("router_b", "route", "del", f"{BUSINESS[0]}/32", "dev", "wan0")
    wait_open(agent)


def test_an_egress_that_does_not_exist_and_one_without_a_route(world: World) -> None:
    agent = router_of(world, server={"egress_interface": "egress9"})
    assert "egress9 is not there" in said(agent)
    assert agent.log.count("egress9") == 1
    agent.stop()
    world.ip("router_b", "addr", "flush", "dev", "egress0")
    agent = router_of(world)
    wait_until(lambda: "no route leads out of egress0" in agent.log, 8, "it says so")
    assert agent.log.count("no route leads out") == 1


def test_a_default_route_elsewhere_is_told_at_start(world: World) -> None:
    world.ip("router_b", "route", "add", "default", "via", "192.0.2.5")
    agent = router_of(world)
    wait_until(lambda: "no default route leads out of egress0" in agent.log, 8, "it says so")


def connect_often(world: World, source: str, address: str, port: int, count: int) -> None:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    for _ in range(count):
        with world.socket("endpoint", family, socket.SOCK_STREAM) as sock:
            sock.bind((source, 0))
            sock.settimeout(0.1)
            with suppress(OSError):
                sock.connect((address, port))


def test_what_one_endpoint_may_not_do_makes_no_router_useless(world: World) -> None:
    agents = [world.router(name) for name in ("router_a", "router_b")]
    endpoint = world.endpoint()
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    for agent in agents:
        filter_forwarded(world, agent.host, f"ip daddr {BUSINESS[0]} tcp dport 81 reject")
    until = time.monotonic() + 7
    while time.monotonic() < until:
        connect_often(world, "10.10.100.1", BUSINESS[0], 81, 3)
    assert [agent.status()["egress_up"] for agent in agents] == [True, True]
    assert "gets through" not in agents[0].log + agents[1].log


def test_a_rule_against_icmp_is_no_fault_while_connections_pass(world: World) -> None:
    agents = [world.router(name, **CHECKED) for name in ("router_a", "router_b")]
    endpoint = world.endpoint()
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    active = next(agent for agent in agents if agent.host == active_of(endpoint))
    with world.socket("business", socket.AF_INET, socket.SOCK_STREAM) as server:
        server.bind((BUSINESS[0], 8000))
        server.listen(64)
        connect_often(world, "10.10.100.1", BUSINESS[0], 8000, 3)
        filter_forwarded(world, active.host, "meta l4proto icmp drop")
        until = time.monotonic() + 8
        while time.monotonic() < until:
            connect_often(world, "10.10.100.1", BUSINESS[0], 8000, 3)
            with suppress(OSError):
                server.settimeout(0.01)
                while True:
                    server.accept()[0].close()
            time.sleep(0.1)
            assert active.status()["egress_up"]
    assert "probes from tunnels" in said(active)


def echoes(world: World) -> list[int]:
    """How many of each family have come to the business server's host."""
    words = world.exec("business", "nft", "list table inet seen").split()
    return [int(words[at + 1]) for at, word in enumerate(words) if word == "packets"]


def test_a_gateway_is_asked_as_long_as_tunnels_may_reach_it(world: World) -> None:
    """The router's own rules drop what comes out of tunnels to a protected network."""
    rules = "icmp type echo-request counter; icmpv6 type echo-request counter"
    chain = f"type filter hook input priority 0; {rules};"
    world.exec("business", "nft", f"table inet seen {{ chain c {{ {chain} }}; }}")
    for address in BUSINESS:
        world.ip("router_b", "route", "add", "default", "via", address)
    agent = router_of(world)

    def asked() -> bool:
        before = echoes(world)
        wait_until(
            lambda: all(x > y for x, y in zip(echoes(world), before, strict=True)), 10, "asked"
        )
        return True

    assert asked()
    take(agent, protected_networks=["198.51.100.0/24", "2001:db8:100::/64"])
    before = echoes(world)
    time.sleep(3)
    assert echoes(world) == before
    assert said(agent) == ""
    dropped = world.exec("router_b", "nft", "list counter inet nrs_routing_server denied")
    assert "packets 0 " in dropped
    take(agent, protected_networks=[])
    assert asked()
