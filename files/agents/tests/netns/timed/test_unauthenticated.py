"""Whoever has no key gets nothing allocated and nothing larger than the question back."""

from __future__ import annotations

import os
import secrets
import socket
from ipaddress import IPv4Address, IPv6Address

from testbed import proc
from testbed.wait import wait_until

from nrs.tunnel import wire
from nrs.tunnel.handshake import Initiator, StaticKey
from nrs.tunnel.wire import Claim, Type
from tests.netns.conftest import one_router
from tests.netns.world import BUSINESS, UNDERLAY6, World

ROUTER = (UNDERLAY6["router_a"][1], 51820)
SOURCES = 5000
"""More than the limiter of HELLOs remembers."""
HELLOS_EACH = 3
JUNK = 30_000
MOST_MB = 0.5
STRANGERS = "2001:db8:f000::/36"
_IPV6_FREEBIND = 78


def forged_hello(number: int) -> bytes:
    """A HELLO that is right in every way but the key."""
    claim = Claim(
        f"endpoint_{number}",
        IPv4Address(0x0A0A0000 + number % 60_000),
        IPv6Address(f"fd00:10:100::{number % 0xFFFF:x}"),
    )
    return Initiator(
        StaticKey(secrets.token_bytes(32)), claim, number + 1, secrets.token_bytes
    ).hello()


def junk(number: int) -> bytes:
    """What claims to be a datagram of a session that is not there."""
    kind = (Type.DATA, Type.SEGMENT, Type.BATCH, Type.PROBE, Type.BYE)[number % 5]
    header = wire.HEADER.pack(wire.first_byte(kind), 0, 0, 0, number, 1, 0)
    return header + os.urandom(40 + number % 1300)


def test_a_flood_without_a_key_leaves_no_trace(world: World) -> None:
    router, _ = one_router(world)
    assert world.ping(BUSINESS[0])
    world.ip("endpoint", "-6", "route", "add", "local", STRANGERS, "dev", "lo")
    world.ip("router_a", "route", "add", STRANGERS, "via", UNDERLAY6["router_a"][0])
    world.exec(
        "router_a",
        "nft",
        "add table inet watch;"
        "add chain inet watch out { type filter hook output priority -400; };"
        f"add rule inet watch out ip6 daddr {STRANGERS} udp sport {ROUTER[1]} counter",
    )
    hellos = [forged_hello(number) for number in range(50)]
    # The limiter's table is full then, and has grown once more as it forgot the oldest.
    flood(world, hellos, range(2 * SOURCES))
    before, figures = proc.resident_mb(router.process.pid), router.status()["figures"]["drops"]

    flood(world, hellos, range(2 * SOURCES, 3 * SOURCES))
    send_junk(world)

    def counted(reason: str) -> int:
        return int(router.status()["figures"]["drops"][reason]) - figures[reason]

    # What the router's receive buffer had no room for is not counted.
    wait_until(lambda: counted("no_session") > JUNK / 2, 10, "the junk is dropped")
    assert counted("tag") > SOURCES * HELLOS_EACH / 2
    assert "counter packets 0 " in world.exec("router_a", "nft", "list", "table", "inet", "watch")
    assert list(router.tunnels()) == ["endpoint_1"]
    assert proc.resident_mb(router.process.pid) - before < MOST_MB
    assert world.ping(BUSINESS[0])


def send_junk(world: World) -> None:
    """JUNK datagrams of sessions that are not there."""
    with world.socket("endpoint", socket.AF_INET6, socket.SOCK_DGRAM) as sender:
        for number in range(JUNK):
            sender.sendto(junk(number), ROUTER)


def flood(world: World, hellos: list[bytes], networks: range) -> None:
    """HELLOS_EACH from an address in each of so many networks."""
    for number in networks:
        with world.socket("endpoint", socket.AF_INET6, socket.SOCK_DGRAM) as sender:
            sender.setsockopt(socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1)
            sender.bind((f"2001:db8:f000:{number:x}::1", 0))
            for copy in range(HELLOS_EACH):
                sender.sendto(hellos[(number + copy) % len(hellos)], ROUTER)
