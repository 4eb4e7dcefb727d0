from __future__ import annotations

import ipaddress
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.tunnel import inner
from nrs.tunnel.inner import Owned
from tests.tunnel.packets import (
    TCP,
    UDP,
    SuperPacket,
    assert_valid,
    internet_checksum,
    noise,
    udp_packet,
)

V4 = udp_packet(b"hello")
V6 = udp_packet(b"hello", source="fd00:10:100::1", destination="2001:db8:100::10")


def packed(address: str) -> bytes:
    return ipaddress.ip_address(address).packed


@pytest.mark.parametrize(
    ("packet", "version"),
    [
        (V4, 4),
        (V6, 6),
        (V4[:20], 4),
        (V4[:19], 0),
        (V6[:40], 6),
        (V6[:39], 0),
        (b"", 0),
        (b"\x50" + bytes(60), 0),
        (bytes(60), 0),
    ],
)
def test_a_version_counts_only_with_its_whole_header(packet: bytes, version: int) -> None:
    assert inner.version(packet) == version
    assert bool(inner.source(packet)) == bool(version)
    assert bool(inner.destination(packet)) == bool(version)


def test_addresses() -> None:
    assert inner.source(V4) == packed("10.10.100.1")
    assert inner.destination(V4) == packed("198.51.100.10")
    assert inner.source(memoryview(V6)) == packed("fd00:10:100::1")
    assert inner.destination(memoryview(V6)) == packed("2001:db8:100::10")


@given(packet=st.binary(max_size=80))
def test_no_bytes_upset_it(packet: bytes) -> None:
    if inner.version(packet):
        protocol, start = inner.transport(packet)
        assert 0 <= protocol <= 255
        assert start >= 0
        assert len(inner.source(packet)) == len(inner.destination(packet)) in {4, 16}


@pytest.mark.parametrize(
    ("address", "unicast"),
    [
        ("10.0.0.1", True),
        ("223.255.255.255", True),
        ("169.253.0.1", True),
        ("169.254.0.1", False),
        ("224.0.0.1", False),
        ("255.255.255.255", False),
        ("0.0.0.0", False),
        ("0.1.2.3", False),
        ("2001:db8::1", True),
        ("fd00::1", True),
        ("fec0::1", True),
        ("fe80::1", False),
        ("febf::1", False),
        ("ff02::1", False),
    ],
)
def test_what_goes_through_a_tunnel(address: str, unicast: bool) -> None:
    assert inner.is_unicast(packed(address)) is unicast


def test_no_address_is_no_unicast_address() -> None:
    assert not inner.is_unicast(b"")


@pytest.mark.parametrize("protocol", [TCP, UDP])
@pytest.mark.parametrize("extra", [0, 4, 40])
def test_ipv4_options_move_the_transport_header(protocol: int, extra: int) -> None:
    packet = SuperPacket(protocol, b"x", 1, ip_extra=b"\x01" * extra).packet()
    assert inner.transport(packet) == (protocol, 20 + extra)


def v6(chain: list[tuple[int, int]], last: int) -> bytes:
    """An IPv6 packet with extension headers (type, length field), then `last`."""
    types = [kind for kind, _ in chain] + [last]
    body = b"".join(
        bytes((types[n + 1], length)) + bytes(6 + 8 * length) for n, (_, length) in enumerate(chain)
    )
    return struct.pack("!IHBB", 6 << 28, len(body), types[0], 64) + bytes(32) + body


@pytest.mark.parametrize(
    ("chain", "start"),
    [([], 40), ([(0, 0)], 48), ([(60, 1)], 56), ([(0, 0), (43, 2), (60, 0)], 40 + 8 + 24 + 8)],
)
def test_extension_headers_are_walked(chain: list[tuple[int, int]], start: int) -> None:
    assert inner.transport(v6(chain, UDP)) == (UDP, start)


def test_an_extension_header_that_runs_out_of_the_packet() -> None:
    assert inner.transport(v6([(0, 0)], 60)) == (0, 0)


def test_a_fragment_header_is_not_looked_behind() -> None:
    assert inner.transport(v6([(44, 0)], UDP)) == (44, 40)


@pytest.mark.parametrize(
    ("fragment", "seen"), [(0x4000, True), (0x2000, True), (0x0001, False), (0x3000, False)]
)
def test_only_the_first_fragment_has_a_transport_header(fragment: int, seen: bool) -> None:
    packet = bytearray(V4)
    struct.pack_into("!H", packet, 6, fragment)
    assert inner.transport(packet) == ((UDP, 20) if seen else (0, 0))


def test_owned_addresses_and_prefixes() -> None:
    owned = Owned(
        [packed("10.10.100.1"), packed("fd00:10:100::1")],
        (ipaddress.ip_network("10.20.0.0/16"), ipaddress.ip_network("fd00:20::/32")),
    )
    for address in ("10.10.100.1", "fd00:10:100::1", "10.20.0.0", "10.20.255.255", "fd00:20:ff::"):
        assert packed(address) in owned
    for address in ("10.10.100.2", "10.21.0.0", "10.19.255.255", "fd00:21::", "::", "0.0.0.0"):
        assert packed(address) not in owned
    assert b"" not in owned
    assert b"" not in Owned([packed("10.10.100.1")])


@given(address=st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16))
def test_owned_agrees_with_ipaddress(address: bytes) -> None:
    prefixes = (ipaddress.ip_network("128.0.0.0/1"), ipaddress.ip_network("8000::/1"))
    parsed = ipaddress.ip_address(address)
    assert (address in Owned([], prefixes)) == any(parsed in prefix for prefix in prefixes)


def test_the_reference_itself_makes_valid_checksums() -> None:
    """RFC 1071 section 3's example."""
    assert internet_checksum(bytes.fromhex("0001f203f4f5f6f7")) == 0xFFFF - 0xDDF2
    for source, destination in (("10.10.100.1", "198.51.100.10"), ("fd00::1", "2001:db8::1")):
        assert_valid(udp_packet(noise(77), source=source, destination=destination))


def echo(version: int, kind: int, identifier: int) -> bytes:
    body = bytes((kind, 0, 0, 0)) + identifier.to_bytes(2, "big") + bytes(2)
    if version == 4:
        addresses = bytes((10, 10, 100, 1, 198, 51, 100, 10))
        return b"\x45\0\0\x1c" + bytes(4) + b"\x40\x01\0\0" + addresses + body
    far = bytes.fromhex("20010db80100" + "00" * 9 + "10")
    return b"\x60\0\0\0\0\x08\x3a\x40" + bytes.fromhex("fd" + "00" * 14 + "01") + far + body


def test_a_flows_key_has_protocol_addresses_and_ports() -> None:
    key = inner.flow_key(udp_packet(b"x"))
    assert key == bytes((17, 10, 10, 100, 1, 198, 51, 100, 10)) + struct.pack("!HH", 5353, 53)
    assert inner.flow_destination(key) == bytes((198, 51, 100, 10))
    six = inner.flow_key(udp_packet(b"x", source="fd00::1", destination="2001:db8::1"))
    assert len(six) == 37
    assert inner.flow_destination(six) == ipaddress.ip_address("2001:db8::1").packed
    assert inner.flow_key(udp_packet(b"x", destination="224.0.0.1")) == b""
    assert inner.flow_key(b"") == b""


@pytest.mark.parametrize(("version", "kinds", "other"), [(4, (8, 0), 3), (6, (128, 129), 1)])
def test_an_echo_is_a_flow_by_its_identifier(
    version: int, kinds: tuple[int, int], other: int
) -> None:
    for kind in kinds:
        key = inner.flow_key(echo(version, kind, 0x1234))
        assert key[-2:] == b"\x12\x34"
        assert inner.flow_destination(key) == inner.destination(echo(version, kind, 0))
    assert inner.flow_key(echo(version, other, 0x1234))[-2:] != b"\x12\x34"


def test_a_fragment_has_no_ports() -> None:
    later = udp_packet(b"x" * 16)
    later = later[:6] + b"\0\1" + later[8:]
    assert inner.flow_key(later) == bytes((0, 10, 10, 100, 1, 198, 51, 100, 10))


def test_tcp_flags_of_a_packet() -> None:
    assert inner.tcp_flags(SuperPacket(TCP, b"x", 1, flags=0x19).packet()) == 0x19
    assert inner.tcp_flags(udp_packet(b"x" * 20)) == 0
    assert inner.tcp_flags(SuperPacket(TCP, b"x", 1).packet()[:33]) == 0
