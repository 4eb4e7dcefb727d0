"""What may come out of a tunnel where a session has networks behind it, by both codecs."""

from __future__ import annotations

import ipaddress

import pytest

from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.codec.python.opening import Reason
from nrs.tunnel.codec.sealing import Check
from nrs.tunnel.inner import Owned
from nrs.tunnel.wire import MOST_PREFIXES
from tests.tunnel.carrying import plain, sealed
from tests.tunnel.codecs import CODECS, opening
from tests.tunnel.packets import udp_packet

KEY = bytes(range(32))
OWN = [ipaddress.ip_address(text).packed for text in ("10.10.100.1", "fd00:10:100::1")]
PREFIXES = ("192.168.7.0/24", "172.16.8.0/21", "203.0.113.64/27", "fd00:7::/64", "fd00:8::/47")
ELSEWHERE = {4: "198.51.100.10", 6: "2001:db8:100::10"}

every_codec = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)


def passes(codec: Codec, owned: Owned, check: Check, address: str) -> bool:
    other = ELSEWHERE[ipaddress.ip_address(address).version]
    ends = (address, other) if check is Check.SOURCE else (other, address)
    packet = udp_packet(b"hello", source=ends[0], destination=ends[1])
    (datagram,) = sealed(codec, [plain(packet)], codec.sealer(KEY, 7))
    whole = memoryview(bytearray(datagram))
    opened = opening(codec).open(codec.opener(KEY, 7, owned, check), whole, len(whole), 0, 0)
    passed = opened.packets == 1
    assert opened.drops == tuple(int(reason is Reason.SOURCE and not passed) for reason in Reason)
    return passed


@every_codec
@pytest.mark.parametrize("check", Check)
@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("10.10.100.1", True),
        ("fd00:10:100::1", True),
        ("10.10.100.2", False),
        ("192.168.7.0", True),
        ("192.168.7.255", True),
        ("192.168.6.255", False),
        ("192.168.8.0", False),
        ("172.16.15.255", True),
        ("172.16.16.0", False),
        ("203.0.113.95", True),
        ("203.0.113.96", False),
        ("203.0.113.63", False),
        ("fd00:7::ffff:ffff:ffff:ffff", True),
        ("fd00:7:0:1::", False),
        ("fd00:8:1::1", True),
        ("fd00:8:2::", False),
    ],
)
def test_addresses_and_what_is_behind(
    codec: Codec, check: Check, address: str, expected: bool
) -> None:
    owned = Owned(OWN, tuple(map(ipaddress.ip_network, PREFIXES)))
    assert passes(codec, owned, check, address) is expected


@every_codec
def test_a_session_has_room_for_all_that_may_be_claimed(codec: Codec) -> None:
    many = tuple(ipaddress.ip_network(f"192.168.{n}.0/24") for n in range(MOST_PREFIXES))
    assert passes(codec, Owned(OWN, many), Check.SOURCE, f"192.168.{MOST_PREFIXES - 1}.9")
    assert not passes(codec, Owned(OWN, many), Check.SOURCE, f"192.168.{MOST_PREFIXES}.9")
