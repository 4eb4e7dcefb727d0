"""Next hops of tunnels by what a host has, and what is arranged for them."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import ValidationError

from nrs.endpoint.config import Router
from nrs.endpoint.uplink_plan import Arranged, Bound, added, arrange
from nrs.system import route
from nrs.system.placing import Plan, Present
from nrs.system.route import MAIN, Found, Hop, network_of, prefix_of

UP0, UP1, TUN = 2, 3, 9
NAMES = {1: "lo", UP0: "up0", UP1: "up1", TUN: "tun0"}
NEAR = {UP0: "192.0.2.2", UP1: "192.0.2.66"}
FAR = "203.0.113.9"


def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


def found(
    network: str, *hops: tuple[int, str], metric: int = 0, table: int = MAIN, protocol: int = 3
) -> Found:
    made = tuple(Hop(index, packed(gateway) if gateway else b"") for index, gateway in hops)
    prefix = prefix_of(ipaddress.ip_network(network))
    return Found(prefix, protocol, made[0].interface, protocol == 2, made, metric, table)


NETWORKS = [
    found("192.0.2.0/26", (UP0, ""), protocol=2),
    found("192.0.2.64/26", (UP1, ""), protocol=2),
]


def host(*routes: Found, up: Sequence[int] = (UP0, UP1), **near: str) -> Present:
    addresses = [(index, packed(near.get(NAMES[index], NEAR[index]))) for index in (UP0, UP1)]
    return Present(others=[*NETWORKS, *routes], addresses=addresses, up=set(up), names=NAMES)


def bound(source: str = NEAR[UP1], to: str = FAR, gateway: str | None = None) -> Bound:
    via = None if gateway is None else ipaddress.ip_address(gateway)
    return Bound("r", ipaddress.ip_address(source), ipaddress.ip_address(to), via)


def way(arranged: Arranged, to: str = FAR) -> tuple[int, str] | None:
    """Interface and gateway by the table's longest prefix."""
    best: Any = None
    for body in arranged.routes:
        one = route.decode(body)
        assert one is not None
        if ipaddress.ip_address(to) in network_of(one.prefix):
            best = max(best or one, one, key=lambda known: known.prefix[2])
    if best is None:
        return None
    (hop,) = best.hops
    return hop.interface, str(ipaddress.ip_address(hop.gateway)) if hop.gateway else ""


CASES = {
    "its default route": ([found("0.0.0.0/0", (UP1, "192.0.2.65"), metric=200)], "192.0.2.65"),
    "one of another table": (
        [found("0.0.0.0/0", (UP1, "192.0.2.65"), table=101)],
        "192.0.2.65",
    ),
    "the longest": (
        [found("0.0.0.0/0", (UP1, "192.0.2.65")), found("203.0.113.0/24", (UP1, "192.0.2.70"))],
        "192.0.2.70",
    ),
    "the lowest metric": (
        [
            found("0.0.0.0/0", (UP1, "192.0.2.70"), metric=9),
            found("0.0.0.0/0", (UP1, "192.0.2.65"), metric=1),
        ],
        "192.0.2.65",
    ),
    "its hop of several": (
        [found("0.0.0.0/0", (UP0, "192.0.2.1"), (UP1, "192.0.2.65"))],
        "192.0.2.65",
    ),
    "without a gateway, as over PPP": ([found("0.0.0.0/0", (UP1, ""))], ""),
    "one in its network that another interface uses": (
        [found("0.0.0.0/0", (UP0, "192.0.2.65"))],
        "192.0.2.65",
    ),
    "its only gateway": ([found("10.0.0.0/8", (UP1, "192.0.2.65"))], "192.0.2.65"),
}


@pytest.mark.parametrize("which", list(CASES))
def test_the_next_hop_is_found(which: str) -> None:
    routes, gateway = CASES[which]
    arranged = arrange([bound()], host(*routes), TUN)
    assert (way(arranged), arranged.without_way) == ((UP1, gateway), [])


@pytest.mark.parametrize(
    "routes",
    [
        [],
        [found("0.0.0.0/0", (UP0, "192.0.2.1"))],
        [found("10.0.0.0/8", (UP1, "192.0.2.65")), found("10.0.0.0/9", (UP1, "192.0.2.66"))],
        [found(f"{FAR}/32", (UP1, ""), table=255)],
    ],
)
def test_where_none_is_known_it_says_so(routes: list[Found]) -> None:
    arranged = arrange([bound()], host(*routes), TUN)
    assert (arranged.routes, arranged.rules) == (set(), set())
    (said,) = arranged.without_way
    assert f"ip route get {FAR} from 192.0.2.66 oif up1" in said
    plan = Plan(left_out=("first",))
    assert added(plan, arranged, [], managed=True).left_out == ("first", said)
    assert added(plan, arranged, [], managed=False).warnings == (said,)


def test_the_configured_one_goes_first_and_a_neighbour_needs_none() -> None:
    default = found("0.0.0.0/0", (UP1, "192.0.2.65"))
    assert way(arrange([bound(gateway="192.0.2.99")], host(default), TUN)) == (UP1, "192.0.2.99")
    near = arrange([bound(to="192.0.2.70")], host(default), TUN)
    assert way(near, "192.0.2.70") == (UP1, "")


def test_each_address_has_a_rule_and_a_table() -> None:
    routes = [found("0.0.0.0/0", (UP0, "192.0.2.1")), found("0.0.0.0/0", (UP1, "192.0.2.65"))]
    tunnels = [bound(NEAR[UP0]), bound(), bound(NEAR[UP0], "203.0.113.10")]
    arranged = arrange(tunnels, host(*routes), TUN)
    assert sorted(map(str, arranged.rules)) == [
        "32300: from 192.0.2.2/32 table 51822",
        "32301: from 192.0.2.66/32 table 51823",
    ]
    tables: dict[int, set[str]] = {}
    for body in arranged.routes:
        one = route.decode(body)
        assert one is not None
        tables.setdefault(one.table, set()).add(str(network_of(one.prefix)))
    assert tables == {
        51822: {"192.0.2.0/26", "203.0.113.9/32", "203.0.113.10/32"},
        51823: {"192.0.2.64/26", "203.0.113.9/32"},
    }
    assert arranged.settings == set()
    unmanaged = added(Plan(), arranged, [], managed=False)
    assert (unmanaged.beside, unmanaged.rules, unmanaged.settings) == (frozenset(),) * 3


def test_an_address_that_is_gone_and_an_interface_that_is_down_have_nothing() -> None:
    routes = [found("0.0.0.0/0", (UP1, "192.0.2.65"))]
    assert arrange([bound()], host(*routes, up=[UP0]), TUN) == Arranged(interfaces={"up1": UP1})
    assert arrange([bound()], host(*routes, up1="192.0.2.67"), TUN) == Arranged()


def test_uplinks_in_one_network_answer_for_themselves() -> None:
    both = found("192.0.2.0/26", (UP1, ""), protocol=2)
    tunnels = [bound(NEAR[UP0], "192.0.2.9"), bound("192.0.2.3", "192.0.2.10")]
    arranged = arrange(tunnels, host(both, up1="192.0.2.3"), TUN)
    assert sorted((s.interface, s.key, s.least) for s in arranged.settings) == [
        ("up0", "arp_announce", 2),
        ("up0", "arp_ignore", 1),
        ("up1", "arp_announce", 2),
        ("up1", "arp_ignore", 1),
    ]
    assert way(arranged, "192.0.2.10") is not None


@pytest.mark.parametrize(
    ("keys", "said"),
    [
        ({"gateway": "192.0.2.1"}, "gateway needs bind_address"),
        ({"gateway": "2001:db8::1", "bind_address": "192.0.2.2"}, "of different families"),
    ],
)
def test_a_gateway_belongs_to_an_uplink(keys: dict[str, str], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        Router.model_validate({"router_id": "r", "external_ip": FAR, **keys})
