"""Messages about routes and rules, against pyroute2's."""

from __future__ import annotations

import ipaddress
import socket
from typing import Any

import pytest
from pyroute2.netlink.rtnl.fibmsg import fibmsg
from pyroute2.netlink.rtnl.ifaddrmsg import ifaddrmsg
from pyroute2.netlink.rtnl.rtmsg import rtmsg

from nrs.system import interface, netlink, route, rule
from nrs.system.route import MAIN, Found, Hop, prefix_of
from nrs.system.rule import Rule

FAMILY = {4: socket.AF_INET, 6: socket.AF_INET6}
ROUTES = [
    ("198.51.100.0/24", MAIN, "10.10.100.1"),
    ("0.0.0.0/0", 51821, "10.10.100.1"),
    ("128.0.0.0/1", 255, ""),
    ("2001:db8:100::/64", MAIN, "fd00:10:100::1"),
    ("::/0", 51821, ""),
    ("2001:db8::1/128", MAIN, ""),
]


def encoded(message: Any, kind: int, flags: int, fields: dict[str, Any], attrs: list[Any]) -> bytes:
    """As pyroute2 has it."""
    message.update(fields)
    message["header"] |= {"type": kind, "flags": flags, "sequence_number": 0, "pid": 0}
    message["attrs"] = attrs
    message.encode()
    return bytes(message.data)


@pytest.mark.parametrize(("network", "table", "source"), ROUTES)
def test_a_route_is_what_pyroute2_makes_of_it(network: str, table: int, source: str) -> None:
    parsed = ipaddress.ip_network(network)
    packed = ipaddress.ip_address(source).packed if source else b""
    body = route.encode(prefix_of(parsed), 7, 82, table=table, source=packed)
    attrs: list[Any] = [["RTA_DST", str(parsed.network_address)]] if parsed.prefixlen else []
    attrs += [["RTA_OIF", 7]]
    attrs += [["RTA_PREFSRC", source]] if source else []
    attrs += [["RTA_PRIORITY", 82], ["RTA_TABLE", table]]
    fields = {
        "family": FAMILY[parsed.version],
        "dst_len": parsed.prefixlen,
        "table": table if table < 256 else 252,
        "proto": 82,
        "type": 1,
    }
    # In a table of ours it replaces what somebody has put in its place.
    how = 0x200 if table < 256 else 0x100
    assert route.add(body) == encoded(rtmsg(), 24, 0x1 | 0x400 | how, fields, attrs)
    assert route.remove(body) == encoded(rtmsg(), 25, 0x1, fields, attrs)
    assert route.canonical(body) == body
    assert route.protocol_of(body) == 82
    hops = (Hop(7, b""),)
    assert route.decode(body) == Found(prefix_of(parsed), 82, 7, False, hops, 82, table)
    assert route.network_of(prefix_of(parsed)) == parsed


def test_what_the_kernel_adds_to_a_route_is_left_out() -> None:
    body = route.encode((6, 0xFD << 120, 8), 7, 82)
    (told,) = netlink.messages(
        encoded(
            rtmsg(),
            24,
            0,
            {"family": 10, "dst_len": 8, "table": 254, "proto": 82, "type": 1},
            [
                ["RTA_TABLE", 254],
                ["RTA_DST", "fd00::"],
                ["RTA_PRIORITY", 82],
                ["RTA_OIF", 7],
                ["RTA_PREF", 0],
            ],
        )
    )
    assert route.canonical(told[2]) == body


@pytest.mark.parametrize(
    ("protocol", "attrs", "connected"),
    [
        (2, [], True),
        (9, [], True),
        (4, [], False),
        (2, [["RTA_GATEWAY", "192.0.2.1"]], False),
    ],
)
def test_a_connected_network_is_told(protocol: int, attrs: list[Any], connected: bool) -> None:
    fields = {"family": 2, "dst_len": 24, "table": 254, "proto": protocol, "type": 1}
    attrs = [["RTA_DST", "192.0.2.0"], ["RTA_OIF", 3], *attrs]
    (told,) = netlink.messages(encoded(rtmsg(), 24, 0, fields, attrs))
    network = prefix_of(ipaddress.ip_network("192.0.2.0/24"))
    gateway = b"" if len(attrs) == 2 else ipaddress.ip_address("192.0.2.1").packed
    hops = (Hop(3, gateway),)
    assert route.decode(told[2]) == Found(network, protocol, 3, connected, hops, 0, MAIN)


@pytest.mark.parametrize(
    ("network", "gateway"),
    [("203.0.113.9/32", "192.0.2.1"), ("203.0.113.9/32", "fe80::1"), ("2001:db8::/32", "fe80::1")],
)
def test_a_gateway_is_on_the_link(network: str, gateway: str) -> None:
    parsed, packed = ipaddress.ip_network(network), ipaddress.ip_address(gateway).packed
    body = route.encode(prefix_of(parsed), 7, 82, table=51822, gateway=packed)
    mixed = parsed.version == 4 and ":" in gateway
    leading: list[Any] = ["RTA_GATEWAY", gateway]
    if mixed:
        leading = ["RTA_VIA", {"family": 10, "addr": gateway}]
    attrs = [["RTA_DST", str(parsed.network_address)], leading, ["RTA_OIF", 7]]
    attrs += [["RTA_PRIORITY", 82], ["RTA_TABLE", 51822]]
    fields = {"family": FAMILY[parsed.version], "dst_len": parsed.prefixlen, "table": 252}
    fields |= {"proto": 82, "type": 1, "flags": 4}
    assert route.add(body) == encoded(rtmsg(), 24, 0x1 | 0x400 | 0x100, fields, attrs)
    assert route.canonical(body) == body
    found = route.decode(body)
    assert found is not None
    assert (found.hops, found.table) == ((Hop(7, packed),), 51822)


def test_each_hop_of_several_is_told() -> None:
    fields = {"family": 2, "dst_len": 0, "table": 254, "proto": 4, "type": 1}
    hops = [{"oif": index, "attrs": [["RTA_GATEWAY", f"192.0.2.{index}"]]} for index in (3, 4)]
    (told,) = netlink.messages(encoded(rtmsg(), 24, 0, fields, [["RTA_MULTIPATH", hops]]))
    found = route.decode(told[2])
    assert found is not None
    assert found.hops == tuple(Hop(n, bytes((192, 0, 2, n))) for n in (3, 4))


def test_what_is_no_route_to_somewhere_is_none() -> None:
    for family, kind in ((2, 2), (2, 7), (7, 1)):
        fields = {"family": family, "dst_len": 0, "table": 254, "proto": 2, "type": kind}
        (told,) = netlink.messages(encoded(rtmsg(), 24, 0, fields, []))
        assert route.decode(told[2]) is None


A4 = prefix_of(ipaddress.ip_network("192.0.2.2/32"))
N6 = prefix_of(ipaddress.ip_network("2001:db8::/32"))


@pytest.mark.parametrize(
    "one",
    [
        Rule(4, 32400, MAIN, to=A4),
        Rule(4, 32401, to=A4),
        Rule(6, 32400, MAIN, to=N6),
        Rule(4, 32410, MAIN, longer_than=0),
        Rule(6, 32411, 51821, longer_than=63),
        Rule(4, 32413, 51821),
        Rule(4, 32300, 51822, source=A4),
        Rule(6, 32301, 51823, to=N6, source=N6),
    ],
    ids=str,
)
def test_a_rule_is_what_pyroute2_makes_of_it(one: Rule) -> None:
    attrs: list[Any] = []
    if one.to is not None:
        attrs.append(["FRA_DST", str(route.network_of(one.to).network_address)])
    if one.source is not None:
        attrs.append(["FRA_SRC", str(route.network_of(one.source).network_address)])
    attrs.append(["FRA_PRIORITY", one.priority])
    if one.longer_than is not None:
        attrs.append(["FRA_SUPPRESS_PREFIXLEN", one.longer_than])
    if one.table:
        attrs.append(["FRA_TABLE", one.table])
    attrs.append(["FRA_PROTOCOL", 82])
    fields = {
        "family": FAMILY[one.version],
        "dst_len": one.to[2] if one.to else 0,
        "src_len": one.source[2] if one.source else 0,
        "table": one.table if one.table < 256 else 252,
        "action": 1 if one.table else 7,
    }
    assert rule.add(one, 82) == encoded(fibmsg(), 32, 0x1 | 0x400 | 0x200, fields, attrs)
    assert rule.remove(one, 82) == encoded(fibmsg(), 33, 0x1, fields, attrs)
    (told,) = netlink.messages(rule.add(one, 82))
    assert rule.decode(told[2]) == (one, 82)


@pytest.mark.parametrize(("address", "bits"), [("10.10.100.1", 16), ("fd00:10:100::1", 128)])
def test_an_address_is_what_pyroute2_makes_of_it(address: str, bits: int) -> None:
    parsed = ipaddress.ip_address(address)
    attrs: list[Any] = [["IFA_LOCAL", address], ["IFA_ADDRESS", address]]
    attrs += [["IFA_FLAGS", 2]] if parsed.version == 6 else []
    fields = {"family": FAMILY[parsed.version], "prefixlen": bits, "index": 7}
    made = interface.add_address(7, parsed.packed, bits)
    assert made == encoded(ifaddrmsg(), 20, 0x1 | 0x400 | 0x200, fields, attrs)
    (told,) = netlink.messages(made)
    assert interface.address_of(told[2]) == (7, parsed.packed, bits)
