from __future__ import annotations

import ipaddress

import pytest

from nrs.router.claims import refusal
from nrs.tunnel.wire import Claim

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
    return refusal(claim, networks=NETWORKS, own=OWN)


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
        (("10.10.100.1", "fd00::5", "10.10.1.1/32"), "10.10.1.1/32 holds 10.10.1.1"),
        (("10.10.100.1", "fd00::5", "fd00:10:1::/64"), "fd00:10:1::/64 holds fd00:10:1::1"),
    ],
)
def test_what_may_not(claim: tuple[str, ...], words: str) -> None:
    why = judge(*claim)
    assert why is not None
    assert words in why


def test_each_family_needs_a_network() -> None:
    claim = Claim("endpoint_1", ipaddress.IPv4Address("10.0.0.9"), ipaddress.IPv6Address("fd00::9"))
    assert refusal(claim, networks=NETWORKS[:1], own=[]) is not None
    assert refusal(claim, networks=NETWORKS[1:], own=[]) is not None
    assert refusal(claim, networks=[], own=[]) is not None
    assert refusal(claim, networks=NETWORKS, own=[]) is None
