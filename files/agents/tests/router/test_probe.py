from __future__ import annotations

import ipaddress

import pytest

from nrs.router.probe import Probes, echo_request, free_address
from nrs.system.checksum import internet_checksum
from nrs.tunnel.inner import flow_key

PAIRS = [
    (ipaddress.ip_address("10.10.255.254"), ipaddress.ip_address("198.51.100.10")),
    (ipaddress.ip_address("fd00:10::fffe"), ipaddress.ip_address("2001:db8:100::10")),
]


@pytest.mark.parametrize(
    ("network", "taken", "free"),
    [
        ("10.10.0.0/16", (), "10.10.255.254"),
        ("10.10.0.0/16", ("10.10.255.254",), "10.10.255.253"),
        ("10.10.0.0/30", ("10.10.0.1",), "10.10.0.2"),
        ("10.10.0.0/30", ("10.10.0.1", "10.10.0.2"), None),
        ("10.10.0.1/32", (), None),
        ("fd00:10::/32", (), "fd00:10:ffff:ffff:ffff:ffff:ffff:fffe"),
        ("fd00:10::1/128", (), None),
    ],
)
def test_an_address_that_nobody_has(network: str, taken: tuple[str, ...], free: str | None) -> None:
    found = free_address(ipaddress.ip_network(network), lambda address: str(address) in taken)
    assert (None if found is None else str(found)) == free


@pytest.mark.parametrize(("source", "destination"), PAIRS)
def test_a_probe_is_a_complete_packet(
    source: ipaddress.IPv4Address, destination: ipaddress.IPv4Address
) -> None:
    packet = echo_request(source, destination, 0x1234)
    if source.version == 4:
        assert internet_checksum(packet[:20]) == 0
        assert int.from_bytes(packet[2:4], "big") == len(packet)
        assert internet_checksum(packet[20:]) == 0
    else:
        pseudo = packet[8:40] + (len(packet) - 40).to_bytes(4, "big") + (58).to_bytes(4, "big")
        assert internet_checksum(pseudo + packet[40:]) == 0
        assert int.from_bytes(packet[4:6], "big") == len(packet) - 40
    assert flow_key(packet)[-2:] == b"\x12\x34"


@pytest.mark.parametrize(("source", "destination"), PAIRS)
def test_an_answer_counts_once_and_only_to_what_was_asked(
    source: ipaddress.IPv4Address, destination: ipaddress.IPv4Address
) -> None:
    probes = Probes(0xFFFF)
    identifiers = [flow_key(probes.next(source, destination))[-2:] for _ in range(2)]
    assert identifiers == [b"\xff\xff", b"\0\0"]
    answer = flow_key(echo_request(destination, source, 0xFFFF))
    assert not probes.take(flow_key(echo_request(destination, source, 1)))
    assert not probes.answered(source.version)
    assert probes.take(answer)
    assert not probes.take(answer)
    assert not probes.answered(10 - source.version)
    assert probes.answered(source.version)
    assert not probes.answered(source.version)
