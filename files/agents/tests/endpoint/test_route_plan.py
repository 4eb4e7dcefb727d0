"""Where packets go with a plan: its routes and rules, looked up as the kernel does."""

from __future__ import annotations

import ipaddress
import random
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from nrs.endpoint.route_plan import TABLE, Wish, plan
from nrs.system import route
from nrs.system.placing import Plan
from nrs.system.route import MAIN, Found, Prefix, network_of, prefix_of

TUN, ETH, LAN = 9, 2, 3
NAMES = {TUN: "tun0", ETH: "eth0", LAN: "eth1"}
SOURCES = {4: bytes((10, 10, 100, 1)), 6: bytes(15) + b"\1"}
ROUTER = "192.0.2.2"
STATIC, KERNEL = 4, 2


def found(network: str, interface: int = ETH, protocol: int = STATIC) -> Found:
    return Found(prefix_of(ipaddress.ip_network(network)), protocol, interface, protocol == KERNEL)


HOST = [
    found("0.0.0.0/0"),
    found("::/0"),
    found("203.0.113.0/24"),
    found("10.1.2.0/24", LAN, KERNEL),
    found("fe80::/64", LAN, KERNEL),
]


def made(
    *routes: str,
    host: Sequence[Found] = HOST,
    routers: Sequence[str] = (ROUTER,),
    services: Mapping[str, str] | None = None,
    exclude: Sequence[str] = (),
    sources: Mapping[int, bytes] = SOURCES,
) -> Plan:
    wish = Wish(
        [ipaddress.ip_network(text) for text in routes],
        sources,
        {ipaddress.ip_address(text): f"router_{n}" for n, text in enumerate(routers)},
        {ipaddress.ip_address(text): what for text, what in (services or {}).items()},
        [ipaddress.ip_network(text) for text in exclude],
    )
    return plan(wish, host, TUN, NAMES)


def way(what: Plan, host: Sequence[Found], address: str) -> int | None:
    """The interface by which packets to `address` leave; None where they do not."""
    parsed = ipaddress.ip_address(address)
    tables: dict[int, dict[Any, int]] = {MAIN: {}, TABLE: {}}
    for other in host:
        tables[MAIN][network_of(other.prefix)] = other.interface
    for body in what.routes:
        network, table = decoded(body)
        tables[table].setdefault(network, TUN)  # of equal ones the host's has the lower metric
    rules = sorted(rule for rule in what.rules if rule.version == parsed.version)
    for rule in rules:
        if rule.to is not None and parsed not in network_of(rule.to):
            continue
        if not rule.table:
            return None
        best = longest(tables[rule.table], parsed)
        least = -1 if rule.longer_than is None else rule.longer_than
        if best is not None and best.prefixlen > least:
            return tables[rule.table][best]
    best = longest(tables[MAIN], parsed)
    return None if best is None else tables[MAIN][best]


def longest(table: Mapping[Any, int], address: Any) -> Any:
    holding = [network for network in table if address in network]
    return max(holding, key=lambda network: network.prefixlen, default=None)


def decoded(body: bytes) -> tuple[Any, int]:
    known = route.decode(body)
    assert known is not None
    own = route.encode(known.prefix, TUN, 82, source=SOURCES[known.prefix[0]])
    table = MAIN if body == own else TABLE
    return network_of(known.prefix), table


def networks(what: Plan, table: int) -> set[str]:
    return {str(network) for network, of in map(decoded, what.routes) if of == table}


def test_a_prefix_that_nobody_has_is_a_route_in_the_main_table() -> None:
    what = made("198.51.100.0/24", "2001:db8:100::/64")
    assert networks(what, MAIN) == {"198.51.100.0/24", "2001:db8:100::/64"}
    assert (what.rules, what.left_out, what.warnings) == (frozenset(), (), ())


def test_a_full_tunnel_leaves_the_router_and_connected_networks_outside() -> None:
    for routes in (["0.0.0.0/0"], ["0.0.0.0/1", "128.0.0.0/1"]):
        what = made(*routes)
        assert way(what, HOST, "198.51.100.10") == TUN
        assert way(what, HOST, ROUTER) == ETH
        assert way(what, HOST, "10.1.2.9") == LAN
        assert way(what, HOST, "203.0.113.9") == ETH  # the host's own route is longer
        assert way(what, HOST, "2001:db8::1") == ETH
    what = made("::/0", routers=["2001:db8::2"])
    assert way(what, HOST, "2001:db8::1") == TUN
    assert way(what, HOST, "2001:db8::2") == ETH
    assert way(what, HOST, "fe80::7") == LAN
    assert way(what, HOST, "198.51.100.10") == ETH


def test_a_router_without_a_way_is_not_sent_through_the_tunnel() -> None:
    assert way(made("0.0.0.0/0", host=HOST[3:]), HOST[3:], ROUTER) is None


def test_a_route_that_the_host_has_too_goes_through_the_tunnel() -> None:
    what = made("203.0.113.0/24")
    assert networks(what, TABLE) == {"203.0.113.0/24"}
    assert way(what, HOST, "203.0.113.9") == TUN
    assert way(what, HOST, "198.51.100.10") == ETH
    longer = [*HOST, found("203.0.113.128/25", LAN)]
    assert way(made("203.0.113.0/24", host=longer), longer, "203.0.113.200") == LAN


def test_a_prefix_that_holds_a_router_is_in_the_own_table() -> None:
    what = made("192.0.2.0/24")
    assert networks(what, TABLE) == {"192.0.2.0/24"}
    assert way(what, HOST, ROUTER) == ETH
    assert way(what, HOST, "192.0.2.3") == TUN


def test_the_network_of_another_interface_is_left_out() -> None:
    what = made("10.1.2.0/24", "198.51.100.0/24")
    assert networks(what, MAIN) == {"198.51.100.0/24"}
    assert what.left_out == ("tunnel.routes: 10.1.2.0/24 is the network of eth1: it stays there",)


def test_the_network_of_the_device_itself_is_no_other() -> None:
    host = [found("10.10.0.0/16", TUN, KERNEL), found("10.20.0.0/16", TUN)]
    what = made("10.10.0.0/16", "10.20.0.0/16", host=host)
    assert networks(what, MAIN) == {"10.10.0.0/16", "10.20.0.0/16"}
    assert what.left_out == what.warnings == ()


def test_a_part_of_a_connected_network_is_taken_with_a_warning() -> None:
    what = made("10.1.2.128/25", "10.1.0.0/16")
    assert networks(what, MAIN) == {"10.1.2.128/25", "10.1.0.0/16"}
    (warning,) = what.warnings
    assert "10.1.2.128/25 lies in 10.1.2.0/24, the network of eth1" in warning


def test_the_address_of_a_router_alone_is_left_out() -> None:
    what = made(f"{ROUTER}/32")
    assert what.routes == frozenset()
    assert "192.0.2.2/32 is the address of router_0" in what.left_out[0]


def test_apis_stay_outside_a_full_tunnel_and_in_a_network_that_was_named() -> None:
    services = {"198.51.100.8": "the address of load_balancer.url", "192.0.2.53": "a resolver"}
    what = made("0.0.0.0/0", "198.51.100.0/24", services=services)
    assert way(what, HOST, "192.0.2.53") == ETH
    assert way(what, HOST, "198.51.100.8") == TUN
    (warning,) = what.warnings
    assert "198.51.100.0/24 holds 198.51.100.8, the address of load_balancer.url" in warning
    assert made("198.51.100.0/24", services={"192.0.2.53": "a resolver"}).rules == frozenset()
    halves = made("0.0.0.0/1", "128.0.0.0/1", services=services)
    assert way(halves, HOST, "192.0.2.53") == way(halves, HOST, "198.51.100.8") == ETH
    assert halves.warnings == ()


def test_what_is_excluded_stays_outside() -> None:
    exclude = ["198.51.100.128/25", "100.64.0.0/10", "2001:db8:7::/48"]
    what = made("198.51.100.0/24", "100.64.7.0/24", "::/0", exclude=exclude)
    assert way(what, HOST, "198.51.100.200") == ETH
    assert way(what, HOST, "198.51.100.1") == TUN
    assert way(what, HOST, "100.64.7.1") == ETH
    assert way(what, HOST, "2001:db8:7::1") == ETH
    assert way(what, HOST, "2001:db8:8::1") == TUN
    assert made("203.0.113.0/25", exclude=exclude).rules == frozenset()


def test_an_ip_version_without_a_tunnel_address_has_no_routes() -> None:
    what = made("198.51.100.0/24", "::/0", sources={4: SOURCES[4]})
    assert networks(what, MAIN) == {"198.51.100.0/24"}
    assert what.rules == frozenset()
    assert len(what.left_out) == 1


def test_the_same_wish_makes_the_same_plan_and_knows_its_prefixes() -> None:
    what = made("0.0.0.0/0", "10.1.2.0/24")
    assert what == made("10.1.2.0/24", "0.0.0.0/0")
    assert what.prefixes == {(4, 0, 0), prefix_of(ipaddress.ip_network("10.1.2.0/24"))}


@pytest.mark.parametrize("seed", range(50))
def test_the_longest_prefix_decides_and_the_tunnel_where_they_are_equal(seed: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - no secret

    def some(count: int) -> list[Prefix]:
        drawn = []
        for _ in range(count):
            bits = chance.choice([0, 1, 2, 8, 9, 16, 24, 32])
            number = chance.getrandbits(2) << 30 | chance.getrandbits(3) << 21
            drawn.append((4, number >> (32 - bits) << (32 - bits), bits))
        return drawn

    host = [Found(prefix, STATIC, ETH, False) for prefix in some(6)]
    wanted = some(6)
    outside = ipaddress.IPv4Address(chance.getrandbits(2) << 30)
    what = made(*(str(network_of(p)) for p in wanted), host=host, routers=[str(outside)])
    for _ in range(200):
        number = chance.getrandbits(2) << 30 | chance.getrandbits(3) << 21 | chance.getrandbits(2)
        address = ipaddress.IPv4Address(number)
        ours = [p[2] for p in wanted if address in network_of(p) and p != (4, int(outside), 32)]
        theirs = [o.prefix[2] for o in host if address in network_of(o.prefix)]
        expected: int | None = TUN
        if address == outside or max(theirs, default=-1) > max(ours, default=-1) or not ours:
            expected = ETH if theirs else None
        assert way(what, host, str(address)) == expected, address


@pytest.mark.parametrize(
    ("network", "known"),
    [
        ("10.1.2.0/24", True),
        ("10.1.2.128/25", True),
        ("10.0.0.0/8", True),
        ("203.0.113.64/26", True),
        ("192.168.7.0/24", False),
        ("fd00:7::/64", False),
    ],
)
def test_what_is_advertised_has_to_be_behind_the_host(network: str, known: bool) -> None:
    advertised = ipaddress.ip_network(network)
    what = plan(Wish([], SOURCES, {}, {}, (), [advertised]), HOST, TUN, NAMES)
    text = f"tunnel.advertise: {network} is not behind this host: it has no route there"
    assert what.left_out == (() if known else (text,))
    assert (what.wanted, what.routes) == (0, frozenset())
    assert prefix_of(advertised) in what.prefixes, "a route that comes or goes is looked at"
    through = plan(Wish([], SOURCES, {}, {}, (), [advertised]), [found(network, TUN)], TUN, NAMES)
    assert through.left_out == (text,), "a route into the tunnel is no way there"
