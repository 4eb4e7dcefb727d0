from __future__ import annotations

import ipaddress
import socket
import struct

import pytest

from nrs.system.gateways import next_hops
from nrs.system.netlink import attribute

GATEWAY, MULTIPATH, VIA = 5, 9, 18
ONE, TWO = bytes((192, 0, 2, 1)), bytes((192, 0, 2, 2))
SIX = ipaddress.ip_address("2001:db8::1").packed


def route(*attributes: bytes, family: int = socket.AF_INET) -> bytes:
    return struct.pack("=BBBBBBBBI", family, 24, 0, 0, 254, 4, 0, 1, 0) + b"".join(attributes)


def hop(*attributes: bytes) -> bytes:
    body = b"".join(attributes)
    return struct.pack("=HBBi", 8 + len(body), 0, 0, 7) + body


@pytest.mark.parametrize(
    ("body", "found"),
    [
        (route(), []),
        (route(attribute(1, ONE), attribute(4, bytes(4))), []),
        (route(attribute(GATEWAY, ONE)), [ONE]),
        (route(attribute(GATEWAY, SIX), family=socket.AF_INET6), [SIX]),
        (route(attribute(VIA, struct.pack("=H", socket.AF_INET6) + SIX + b"\0\0")[:22]), [SIX]),
        (
            route(
                attribute(MULTIPATH, hop(attribute(GATEWAY, ONE)) + hop(attribute(GATEWAY, TWO)))
            ),
            [ONE, TWO],
        ),
        (route(attribute(MULTIPATH, hop() + hop(attribute(GATEWAY, TWO)))), [TWO]),
        (route(attribute(MULTIPATH, bytes(8))), []),
        (route(attribute(GATEWAY, ONE), family=28), []),
        (route(attribute(GATEWAY, ONE))[:11], []),
        (b"", []),
    ],
)
def test_the_next_hops_of_a_route(body: bytes, found: list[bytes]) -> None:
    assert list(next_hops(body)) == found
