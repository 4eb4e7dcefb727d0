from __future__ import annotations

import ipaddress

import pytest

from nrs.endpoint.lan import families_of, interfaces_of

HOST = [
    (name, ipaddress.ip_interface(text).ip, ipaddress.ip_interface(text).network)
    for name, text in (
        ("lo", "127.0.0.1/8"),
        ("eth0", "192.0.2.9/24"),
        ("lan0", "192.168.7.1/24"),
        ("lan0", "fd00:7::1/64"),
        ("lan1", "192.168.8.1/24"),
        ("tun0", "192.168.7.200/32"),
    )
]


@pytest.mark.parametrize(
    ("advertised", "interfaces", "families"),
    [
        (["192.168.7.0/24"], ("tun0", "lan0"), {4}),
        (["192.168.0.0/16", "fd00:7::/64"], ("tun0", "lan0", "lan1"), {4, 6}),
        (["192.168.7.128/25"], ("tun0", "lan0"), {4}),
        (["fd00:9::/64"], ("tun0",), {6}),
    ],
)
def test_what_has_to_forward(
    advertised: list[str], interfaces: tuple[str, ...], families: set[int]
) -> None:
    networks = list(map(ipaddress.ip_network, advertised))
    assert interfaces_of(networks, HOST, "tun0") == interfaces
    assert families_of(networks) == families
