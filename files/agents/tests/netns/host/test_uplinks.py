"""Each tunnel by its own uplink, whatever routes the host has; after it all is as before."""

from __future__ import annotations

import ipaddress
import signal

import pytest
from testbed.wait import wait_until

from tests.netns.conftest import both_up
from tests.netns.host.test_host_network import cleanup
from tests.netns.host_network import dump, ours, set_rp_filter
from tests.netns.world import BUSINESS, UPLINK, Agent, World

FAR = {
    "router_a": ("203.0.113.130", "2001:db8:f::1"),
    "router_b": ("203.0.113.134", "2001:db8:f::5"),
}
NEAR = {"router_a": ("192.0.2.66", "2001:db8:1::2"), "router_b": ("192.0.2.130", "2001:db8:2::2")}
GATEWAY = {
    "router_a": ("192.0.2.65", "2001:db8:1::1"),
    "router_b": ("192.0.2.129", "2001:db8:2::1"),
}
BITS = (26, 64)
ROUTERS = ("router_a", "router_b")


@pytest.fixture(params=[4, 6])
def family(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def providers(world: World) -> World:
    """Two providers, which drop what comes from the other one's network; routers behind them."""
    for name, up in UPLINK.items():
        world.ip("endpoint", "addr", "flush", "dev", up, "scope", "global")
        world.ip(name, "addr", "flush", "dev", "wan0", "scope", "global")
        world.exec(name, "sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        for index, bits in enumerate(BITS):
            world.address("endpoint", up, f"{NEAR[name][index]}/{bits}")
            world.address(name, "wan0", f"{GATEWAY[name][index]}/{bits}")
            world.address(name, "lo", f"{FAR[name][index]}/{(32, 128)[index]}")
        rules = (
            "add table inet isp;"
            "add chain inet isp i { type filter hook prerouting priority -300; };"
            f"add rule inet isp i iifname wan0 ip saddr != {NEAR[name][0]} counter drop;"
            "add rule inet isp i iifname wan0 meta nfproto ipv6 ip6 saddr != fe80::/10"
            f" ip6 saddr != {NEAR[name][1]} counter drop"
        )
        world.exec(name, "nft", rules)
    return world


HOST_ROUTES = {
    "metrics": (("default", "router_a", "metric", "100"), ("default", "router_b", "metric", "200")),
    "equal metrics": (("default", "router_a"), ("default", "router_b")),
    "table of its own": (("default", "router_a"), ("default", "router_b", "table", "101")),
    "no gateway": (("default", "router_a"),),
    "none at all": (),
}


def set_routes(world: World, family: int, which: str) -> None:
    for to, name, *more in HOST_ROUTES[which]:
        via = GATEWAY[name][family == 6]
        words = ("route", "append", to, "via", via, "dev", UPLINK[name], *more)
        world.ip("endpoint", f"-{family}", *words)


def entries(family: int, *, gateways: tuple[str, ...] = ()) -> list[dict[str, str]]:
    index = family == 6
    found = []
    for name in ROUTERS:
        entry = {
            "router_id": name,
            "external_ip": FAR[name][index],
            "bind_address": NEAR[name][index],
        }
        found.append(entry | ({"gateway": GATEWAY[name][index]} if name in gateways else {}))
    return found


def started(
    world: World,
    family: int,
    *,
    gateways: tuple[str, ...] = (),
    managed: bool = True,
    routes: list[str] | None = None,
) -> Agent:
    for name in ROUTERS:
        world.router(name, server={"bind_address": "::", "external_ip": FAR[name][family == 6]})
    tunnel = {"manage_policy_routing": managed}
    return world.endpoint(
        routers=entries(family, gateways=gateways),
        tunnel=tunnel | ({} if routes is None else {"routes": routes}),
    )


@pytest.mark.parametrize("which", list(HOST_ROUTES))
def test_both_tunnels_are_up(providers: World, family: int, which: str) -> None:
    world = providers
    set_rp_filter(world, 1)
    set_routes(world, family, which)
    before = dump(world)
    gateways = {"no gateway": ROUTERS[1:], "none at all": ROUTERS}.get(which, ())
    endpoint = started(world, family, gateways=gateways)
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    for name in ROUTERS:
        far, near = FAR[name][family == 6], NEAR[name][family == 6]
        said = world.ip("endpoint", "route", "get", far, "from", near)
        assert f"via {GATEWAY[name][family == 6]} dev {UPLINK[name]}" in said
    assert world.ping(BUSINESS[0])
    during = dump(world)
    assert [line for line in before if line not in during] == []
    assert endpoint.status()["problems"] == []
    assert "rp_filter" not in endpoint.log
    assert endpoint.stop() == 0
    wait_until(lambda: dump(world) == before, 5, "the host is as it was")


@pytest.mark.parametrize("full", ["0.0.0.0/0", "::/0"])
def test_a_full_tunnel_fails_over_between_them(providers: World, family: int, full: str) -> None:
    world = providers
    set_rp_filter(world, 1)
    set_routes(world, family, "metrics")
    before = dump(world)
    endpoint = started(world, family, routes=[full])
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    target = BUSINESS[full == "::/0"]
    assert "dev tun0" in world.ip("endpoint", "route", "get", target)
    assert world.ping(target, 20)
    active = next(name for name, tunnel in endpoint.tunnels().items() if tunnel["active"])
    world.blackhole(active)
    wait_until(lambda: not endpoint.tunnels()[active]["active"], 20, "traffic moves")
    assert world.ping(target)
    assert endpoint.stop() == 0
    wait_until(lambda: dump(world) == before, 5, "the host is as it was")


def test_a_gateway_that_changes_is_followed(providers: World, family: int) -> None:
    """As by DHCP: the address and the gateway go, and come back as others."""
    world, index = providers, family == 6
    set_rp_filter(world, 1)
    set_routes(world, family, "metrics")
    endpoint = started(world, family)
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    option, up, near = f"-{family}", UPLINK["router_b"], NEAR["router_b"][index]
    address = f"{near}/{BITS[index]}"
    other = ("192.0.2.140", "2001:db8:2::9")[index]
    world.address("router_b", "wan0", f"{other}/{BITS[index]}")
    world.ip("endpoint", "addr", "del", address, "dev", up)
    wait_until(lambda: near not in world.ip("endpoint", option, "rule"), 5, "its rule is gone")
    gone = GATEWAY["router_b"][index]
    world.ip("router_b", "addr", "del", f"{gone}/{BITS[index]}", "dev", "wan0")
    world.address("endpoint", up, address)
    route = ("route", "replace", "default", "via", other, "dev", up, "metric", "200")
    world.ip("endpoint", option, *route)
    wait_until(
        lambda: (
            f"via {other}"
            in world.ip("endpoint", "route", "get", FAR["router_b"][index], "from", near)
        ),
        5,
        "the other gateway",
    )
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up again")
    assert "five times" not in endpoint.log


LEASES = {
    "another address": ("192.0.2.131/26", "2001:db8:2::13/64"),
    "another network": ("192.0.2.202/29", "2001:db8:22::2/64"),
}
"""What DHCP or a router advertisement may give up1 instead; of the second the gateway has .1."""


def lease(world: World, family: int, which: str, *, overlapping: bool = False) -> tuple[str, str]:
    """up1 has another address, and a gateway of that network; both of these."""
    index, up = family == 6, UPLINK["router_b"]
    given = ipaddress.ip_interface(LEASES[which][index])
    gateway = GATEWAY["router_b"][index]
    if which == "another network":
        gateway = str(given.network[1])
        world.address("router_b", "wan0", f"{gateway}/{given.network.prefixlen}")
    world.exec("router_b", "nft", "delete table inet isp")
    old = ("addr", "del", f"{NEAR['router_b'][index]}/{BITS[index]}", "dev", up)
    if not overlapping:
        world.ip("endpoint", *old)
    world.address("endpoint", up, str(given))
    if overlapping:
        world.ip("endpoint", *old)
    route = ("route", "replace", "default", "via", gateway, "dev", up, "metric", "200")
    world.ip("endpoint", f"-{family}", *route)
    return str(given.ip), gateway


def led(world: World, family: int, source: str, gateway: str) -> bool:
    """Whether one rule of ours leads from up1, for this address, and by this gateway."""
    rules = world.ip("endpoint", f"-{family}", "rule").splitlines()
    found = [line for line in rules if line.startswith("32301:")]
    far = FAR["router_b"][family == 6]
    said = world.ip("endpoint", "route", "get", far, "from", source)
    return len(found) == 1 and f"from {source} " in found[0] and f"via {gateway} dev up1" in said


@pytest.mark.parametrize("overlapping", [False, True])
@pytest.mark.parametrize("which", list(LEASES))
def test_an_address_that_becomes_another_one_is_followed(
    providers: World, family: int, which: str, overlapping: bool
) -> None:
    world, index = providers, family == 6
    set_rp_filter(world, 1)
    # Otherwise the kernel takes all IPv4 addresses of a network with the first of them.
    world.exec("endpoint", "sysctl", "-qw", "net.ipv4.conf.up1.promote_secondaries=1")
    set_routes(world, family, "metrics")
    endpoint = started(world, family, gateways=ROUTERS[1:])
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    source, gateway = lease(world, family, which, overlapping=overlapping)
    wait_until(lambda: led(world, family, source, gateway), 5, "rule and table are replaced")
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up again")
    world.blackhole("router_a")
    wait_until(lambda: world.ping(BUSINESS[0]), 20, "traffic flows by it")
    near = NEAR["router_b"][index]
    assert f"up1 has {source} in place of {near}: tunnels leave from there" in endpoint.log
    assert near not in ours(world)
    assert endpoint.status()["problems"] == []
    assert "five times" not in endpoint.log
    assert endpoint.stop() == 0
    wait_until(lambda: ours(world) == "", 5, "nothing of ours is left")
    assert source in world.ip("endpoint", "addr", "show", "dev", "up1")


def test_an_address_that_comes_back_is_used_again(providers: World) -> None:
    world = providers
    set_routes(world, 4, "metrics")
    before = dump(world)
    endpoint = started(world, 4)
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    source, gateway = lease(world, 4, "another address")
    wait_until(lambda: both_up(endpoint) and led(world, 4, source, gateway), 20, "it is followed")
    near = NEAR["router_b"][0]
    world.ip("endpoint", "addr", "del", f"{source}/26", "dev", "up1")
    world.address("endpoint", "up1", f"{near}/26")
    world.ip("endpoint", "route", "add", "default", "via", gateway, "metric", "200")
    wait_until(lambda: both_up(endpoint) and led(world, 4, near, gateway), 20, "as at first")
    assert f"up1 has {near} again" in endpoint.log
    assert endpoint.stop() == 0
    wait_until(lambda: dump(world) == before, 5, "the host is as it was")


def test_a_process_started_again_knows_the_address_that_came(providers: World) -> None:
    world = providers
    set_routes(world, 4, "metrics")
    world.managed = True
    endpoint = started(world, 4)
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    source, gateway = lease(world, 4, "another address")
    wait_until(lambda: both_up(endpoint) and led(world, 4, source, gateway), 20, "it is followed")
    endpoint.kill()
    endpoint.start()
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up again")
    assert led(world, 4, source, gateway)


def test_a_gateway_alone_that_changes_is_followed(providers: World, family: int) -> None:
    world, index = providers, family == 6
    set_routes(world, family, "metrics")
    endpoint = started(world, family)
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    near, other = NEAR["router_b"][index], ("192.0.2.140", "2001:db8:2::9")[index]
    world.address("router_b", "wan0", f"{other}/{BITS[index]}")
    for action, via in (("add", other), ("del", GATEWAY["router_b"][index])):
        metric = {"add": "201", "del": "200"}[action]
        route = ("route", action, "default", "via", via, "dev", "up1", "metric", metric)
        world.ip("endpoint", f"-{family}", *route)
    wait_until(lambda: led(world, family, near, other), 5, "its table is replaced")
    assert both_up(endpoint)


def test_an_address_that_moves_to_another_interface_is_followed(providers: World) -> None:
    world = providers
    set_rp_filter(world, 1)
    endpoint = started(world, 4, gateways=ROUTERS)
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    near = f"{NEAR['router_b'][0]}/26"
    world.ip("endpoint", "link", "add", "link", "up1", "name", "up2", "type", "macvlan")
    world.exec("endpoint", "sysctl", "-qw", "net.ipv4.conf.up2.rp_filter=1")
    world.ip("endpoint", "link", "set", "up2", "up")
    world.ip("endpoint", "addr", "del", near, "dev", "up1")
    world.address("endpoint", "up2", near)
    wait_until(lambda: "dev up2" in ours(world), 5, "its routes have moved")
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up again")


def test_an_uplink_that_goes_down_and_up_has_its_routes_again(providers: World) -> None:
    world = providers
    set_routes(world, 4, "no gateway")
    endpoint = started(world, 4, gateways=ROUTERS[1:])
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    for _ in range(6):
        world.ip("endpoint", "link", "set", "up1", "down")
        wait_until(lambda: "32301:" not in world.ip("endpoint", "rule"), 5, "its rule is gone")
        world.ip("endpoint", "link", "set", "up1", "up")
        wait_until(lambda: "32301:" in world.ip("endpoint", "rule"), 5, "its rule is back")
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up again")
    assert endpoint.status()["problems"] == []


def test_what_a_killed_agent_leaves_serves_the_next_one(providers: World) -> None:
    world = providers
    set_rp_filter(world, 1)
    set_routes(world, 4, "metrics")
    before = dump(world)
    world.managed = True
    endpoint = started(world, 4)
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    during = ours(world)
    assert "from 192.0.2.130 lookup 51823 proto 82" in during
    endpoint.kill()
    assert ours(world) == during
    endpoint.start()
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up again")
    assert ours(world) == during
    endpoint.kill()
    assert cleanup(world, endpoint)[0] == 0
    assert ours(world) == ""
    # Its device is kept by the manager.
    endpoint.start()
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up once more")
    assert endpoint.stop() == 0
    endpoint.close()
    wait_until(lambda: dump(world) == before, 5, "the host is as it was")


def test_it_is_switched_on_and_off_by_a_reload(providers: World) -> None:
    world = providers
    set_routes(world, 4, "metrics")
    endpoint = started(world, 4, managed=False)
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    before = dump(world)
    assert "32300:" not in world.ip("endpoint", "rule")
    for managed in (True, False):
        endpoint.config["tunnel"]["manage_policy_routing"] = managed
        endpoint.write(endpoint.config)
        endpoint.signal(signal.SIGHUP)
        wait_until(
            lambda m=managed: ("32300:" in world.ip("endpoint", "rule")) is m, 10, "taken over"
        )
        assert both_up(endpoint)
    wait_until(lambda: dump(world) == before, 5, "as before")


def test_what_cannot_be_arranged_is_told_with_what_shows_it(providers: World) -> None:
    world = providers
    set_routes(world, 4, "no gateway")
    endpoint = started(world, 4)
    said = (
        "tunnel to router_b: no gateway of up1 is known"
        " (ip route get 203.0.113.134 from 192.0.2.130 oif up1): give it as routers[].gateway"
    )
    wait_until(lambda: endpoint.status().get("problems"), 20, "it is a problem")
    assert [problem["what"] for problem in endpoint.status()["problems"]] == [said]
    assert said in endpoint.log
    # As DHCP would, later than the agent.
    world.ip("endpoint", "route", "add", "default", "via", "192.0.2.129", "metric", "300")
    wait_until(lambda: both_up(endpoint), 20, "both tunnels up")
    wait_until(lambda: endpoint.status()["problems"] == [], 5, "it is none any more")


@pytest.mark.parametrize("managed", [False, True])
def test_a_strict_filter_in_the_way_is_told(providers: World, managed: bool) -> None:
    world = providers
    set_rp_filter(world, 1)
    set_routes(world, 4, "metrics")
    if managed:
        world.ip("endpoint", "rule", "add", "priority", "100", "lookup", "main")
    endpoint = started(world, 4, managed=managed)
    said = (
        "tunnel to router_b: the strict rp_filter of up1 refuses what comes from 203.0.113.134,"
        " as 192.0.2.130 is routed to up0 (ip route get 203.0.113.134 from 192.0.2.130): "
    ) + ("another rule comes first" if managed else "tunnel.manage_policy_routing: true")
    wait_until(lambda: said in endpoint.log, 20, "it is told")
    assert "tunnel to router_a" not in endpoint.log
    command = said.partition("(")[2].partition(")")[0].split()
    assert "dev up0" in world.exec("endpoint", *command)
