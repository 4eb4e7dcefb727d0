"""ICMP errors about packets that are too long, byte for byte."""

from __future__ import annotations

import ipaddress
import struct

import pytest

from nrs.tunnel.too_big import too_big
from tests.tunnel.packets import internet_checksum, noise, pseudo_header, udp_packet

V6 = {"source": "fd00:10:100::1", "destination": "2001:db8:100::10"}


@pytest.mark.parametrize("length", [600, 601, 1400])
def test_ipv4(length: int) -> None:
    packet = udp_packet(noise(length - 28))
    error = too_big(packet, 1292)
    assert error is not None
    assert error[:2] == b"\x45\x00"
    assert struct.unpack_from("!H", error, 2)[0] == len(error) == 576
    assert internet_checksum(error[:20]) == 0
    assert error[9] == 1
    # From where it was to go, to who has sent it.
    assert error[12:16] == ipaddress.ip_address("198.51.100.10").packed
    assert error[16:20] == ipaddress.ip_address("10.10.100.1").packed
    assert error[20:22] == b"\x03\x04"
    assert struct.unpack_from("!I", error, 24)[0] == 1292
    assert internet_checksum(error[20:]) == 0
    assert error[28:] == packet[:548]


@pytest.mark.parametrize("length", [1281, 1400, 8900])
def test_ipv6(length: int) -> None:
    packet = udp_packet(noise(length - 48), **V6)
    error = too_big(packet, 1300)
    assert error is not None
    assert error[:4] == b"\x60\0\0\0"
    assert struct.unpack_from("!H", error, 4)[0] == len(error) - 40
    assert len(error) == 1280
    assert error[6] == 58
    assert error[8:24] == ipaddress.ip_address(V6["destination"]).packed
    assert error[24:40] == ipaddress.ip_address(V6["source"]).packed
    assert error[40:42] == b"\x02\x00"
    assert struct.unpack_from("!I", error, 44)[0] == 1300
    pseudo = pseudo_header(error[8:24], error[24:40], 58, len(error) - 40)
    assert internet_checksum(pseudo + error[40:]) == 0
    assert error[48:] == packet[:1232]


def test_a_short_packet_is_quoted_whole() -> None:
    packet = udp_packet(noise(501))
    error = too_big(packet, 600)
    assert error is not None
    assert error[28:] == packet
    assert internet_checksum(error[20:] + b"\0") == 0


@pytest.mark.parametrize(("mtu", "told"), [(476, 1280), (1180, 1280), (1281, 1281)])
def test_ipv6_is_never_told_less_than_every_link_carries(mtu: int, told: int) -> None:
    error = too_big(udp_packet(noise(1400), **V6), mtu)
    assert error is not None
    assert struct.unpack_from("!I", error, 44)[0] == told


def test_ipv4_is_never_told_less_than_every_host_takes() -> None:
    error = too_big(udp_packet(noise(1400)), 476)
    assert error is not None
    assert struct.unpack_from("!I", error, 24)[0] == 576


def test_nothing_is_said_about_a_later_fragment() -> None:
    packet = udp_packet(noise(1400))
    assert too_big(packet[:6] + b"\x40\xb9" + packet[8:], 1000) is None
    assert too_big(packet[:6] + b"\x60\x00" + packet[8:], 1000) is not None
