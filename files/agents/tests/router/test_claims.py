from __future__ import annotations

import ipaddress

import pytest

from nrs.router.claims import Host, Refusal, Rules
from nrs.tunnel.wire import Claim, Objection

NETWORKS = [ipaddress.ip_network(text) for text in ("10.0.0.0/8", "fd00::/8")]
OWN = [
    ipaddress.ip_address(text) for text in ("10.10.1.1", "fd00:10:1::1", "192.0.2.1", "10.200.0.1")
]


def judge(tun4: str, tun6: str, *prefixes: str) -> str | None:
    claim = Claim(
        "endpoint_1",
        ipaddress.IPv4Address(tun4),
        ipaddress.IPv6Address(tun6),
        tuple(ipaddress.ip_network(prefix) for prefix in prefixes),
    )
    refusal = Rules(NETWORKS, NETWORKS, OWN).refusal(claim)
    return refusal and refusal.why


@pytest.mark.parametrize(
    "prefixes", [(), ("10.20.0.0/16",), ("10.20.0.0/16", "fd00:20::/32"), ("10.20.0.1/32",)]
)
def test_what_lies_in_the_networks_may_be_claimed(prefixes: tuple[str, ...]) -> None:
    assert judge("10.10.100.1", "fd00:10:100::1", *prefixes) is None


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (("192.168.0.1", "fd00::5"), "192.168.0.1 is outside"),
        (("11.0.0.0", "fd00::5"), "11.0.0.0 is outside"),
        (("10.10.100.1", "2001:db8::1"), "2001:db8::1 is outside"),
        (("10.10.100.1", "fe00::"), "fe00:: is outside"),
        (("10.10.1.1", "fd00::5"), "10.10.1.1 is an address of this router"),
        (("10.10.100.1", "fd00:10:1::1"), "fd00:10:1::1 is an address of this router"),
        (("10.200.0.1", "fd00::5"), "10.200.0.1 is an address of this router"),
        (("0.0.0.0", "fd00::5"), "0.0.0.0 is outside"),
        (("10.10.100.1", "::"), ":: is outside"),
        (("10.10.100.1", "fd00::5", "0.0.0.0/0"), "0.0.0.0/0 is outside"),
        (("10.10.100.1", "fd00::5", "::/0"), "::/0 is outside"),
        (("10.10.100.1", "fd00::5", "8.0.0.0/6"), "8.0.0.0/6 is outside"),
        (("10.10.100.1", "fd00::5", "10.20.0.0/16", "fc00::/7"), "fc00::/7 is outside"),
        (("10.10.100.1", "fd00::5", "10.10.0.0/16"), "10.10.0.0/16 holds 10.10.1.1"),
        (("10.10.100.1", "fd00::5", "10.0.0.0/8"), "10.0.0.0/8 holds"),
        (("10.10.100.1", "fd00::5", "10.10.1.1/32"), "10.10.1.1 is an address of this router"),
        (("10.10.100.1", "fd00::5", "fd00:10:1::/64"), "fd00:10:1::/64 holds fd00:10:1::1"),
    ],
)
def test_what_may_not(claim: tuple[str, ...], words: str) -> None:
    why = judge(*claim)
    assert why is not None
    assert words in why


def test_each_family_needs_a_network() -> None:
    claim = Claim("endpoint_1", ipaddress.IPv4Address("10.0.0.9"), ipaddress.IPv6Address("fd00::9"))
    assert Rules(NETWORKS[:1]).refusal(claim) is not None
    assert Rules(NETWORKS[1:]).refusal(claim) is not None
    assert Rules([]).refusal(claim) is not None
    assert Rules(NETWORKS).refusal(claim) is None


def networks(*texts: str) -> list[ipaddress.IPv4Network | ipaddress.IPv6Network]:
    return [ipaddress.ip_network(text) for text in texts]


def address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    return ipaddress.ip_address(text)


EVERYTHING = networks("0.0.0.0/0", "::/0")
HOST = Host(
    addresses=frozenset(map(address, ("192.168.50.1", "fe80::1", "172.16.0.1"))),
    connected=(
        *((network, "egress0") for network in networks("192.168.50.0/24", "2001:db8:5::/64")),
        *((network, "lo") for network in networks("127.0.0.0/8", "::1/128")),
        *((network, "wan0") for network in networks("10.0.0.0/8", "10.10.200.0/24")),
    ),
    gateways=frozenset(map(address, ("203.0.113.1", "2001:db8:9::1"))),
)
RULES = Rules(
    EVERYTHING,
    EVERYTHING,
    on_link=networks("10.10.0.0/16", "fd00:10::/32"),
    services={address("203.0.113.80"): "load_balancer.url"},
    host=HOST,
)


@pytest.mark.parametrize(
    ("claim", "why"),
    [
        (("10.10.100.1", "fd00:10:100::1"), None),
        (("192.0.2.9", "fd00:77::1"), None),
        (
            ("192.168.50.10", "fd00:10::5"),
            "192.168.50.10 lies in 192.168.50.0/24, which egress0 is connected to",
        ),
        (
            ("10.10.100.1", "2001:db8:5::9"),
            "2001:db8:5::9 lies in 2001:db8:5::/64, which egress0 is connected to",
        ),
        (("172.16.0.1", "fd00:10::5"), "172.16.0.1 is an address of this router"),
        (("192.168.50.1", "fd00:10::5"), "192.168.50.1 is an address of this router"),
        (("203.0.113.1", "fd00:10::5"), "203.0.113.1 is a gateway of this router"),
        (("10.10.100.1", "2001:db8:9::1"), "2001:db8:9::1 is a gateway of this router"),
        (("203.0.113.80", "fd00:10::5"), "203.0.113.80 is that of load_balancer.url"),
        (("127.0.0.2", "fd00:10::5"), "127.0.0.2 lies in 127.0.0.0/8, which lo is connected to"),
        (("192.0.2.200", "fd00:10::5"), "192.0.2.200 is where the endpoint itself is"),
        # The host's route into the TUN device is nearer than 10.0.0.0/8, not than 10.10.200.0/24.
        (("10.11.0.1", "fd00:10::5"), "10.11.0.1 lies in 10.0.0.0/8, which wan0 is connected to"),
        (
            ("10.10.200.1", "fd00:10::5"),
            "10.10.200.1 lies in 10.10.200.0/24, which wan0 is connected to",
        ),
        (("10.10.100.1", "fd00:10::5", "10.10.30.0/24"), None),
        (("10.10.100.1", "fd00:10::5", "192.0.0.0/24"), None),
        (
            ("10.10.100.1", "fd00:10::5", "192.168.48.0/20"),
            "192.168.48.0/20 holds 192.168.50.1, an address of this router",
        ),
        (
            ("10.10.100.1", "fd00:10::5", "10.10.192.0/18"),
            "10.10.192.0/18 holds 10.10.200.0/24, which wan0 is connected to",
        ),
        (
            ("10.10.100.1", "fd00:10::5", "192.168.50.128/25"),
            "192.168.50.128/25 lies in 192.168.50.0/24, which egress0 is connected to",
        ),
        (
            ("10.10.100.1", "fd00:10::5", "203.0.113.0/25"),
            "203.0.113.0/25 holds 203.0.113.1, a gateway of this router",
        ),
    ],
)
def test_what_is_somebody_elses_may_not(claim: tuple[str, ...], why: str | None) -> None:
    tun4, tun6, *prefixes = claim
    made = Claim(
        "endpoint_1",
        ipaddress.IPv4Address(tun4),
        ipaddress.IPv6Address(tun6),
        tuple(networks(*prefixes)),
    )
    refusal = RULES.refusal(made, address("192.0.2.200"))
    assert (refusal and refusal.why) == why


@pytest.mark.parametrize(
    ("prefixes", "refusal"),
    [
        (("192.168.7.0/24", "fd00:7::/64"), None),
        (("192.168.7.128/25",), None),
        (
            ("192.168.7.0/24", "192.168.8.0/24"),
            Refusal(3, Objection.OUTSIDE, "192.168.8.0/24 is outside of tunnel.endpoint_prefixes"),
        ),
        (
            ("10.20.0.0/16",),
            Refusal(2, Objection.OUTSIDE, "10.20.0.0/16 is outside of tunnel.endpoint_prefixes"),
        ),
        (
            ("192.168.6.0/23",),
            Refusal(2, Objection.OUTSIDE, "192.168.6.0/23 is outside of tunnel.endpoint_prefixes"),
        ),
    ],
)
def test_networks_behind_endpoints_have_a_bound_of_their_own(
    prefixes: tuple[str, ...], refusal: Refusal | None
) -> None:
    claim = Claim(
        "endpoint_1",
        ipaddress.IPv4Address("10.10.100.1"),
        ipaddress.IPv6Address("fd00:10:100::1"),
        tuple(networks(*prefixes)),
    )
    bound = networks("192.168.7.0/24", "fd00:7::/32")
    assert Rules(NETWORKS, bound).refusal(claim) == refusal
    assert Rules(NETWORKS).beyond(claim) is not None, "none by default"


def test_an_address_is_not_taken_for_a_network() -> None:
    claim = Claim("endpoint_1", ipaddress.IPv4Address("192.168.7.9"), None)
    refusal = Rules(NETWORKS, networks("192.168.7.0/24")).refusal(claim)
    assert refusal == Refusal(
        0, Objection.OUTSIDE, "192.168.7.9 is outside of tunnel.endpoint_networks"
    )
