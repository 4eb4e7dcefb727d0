"""Congestion marks of the underlay reach the hosts beyond the tunnel (RFC 6040)."""

from __future__ import annotations

import json
import os
import socket
import struct
from contextlib import closing

import pytest
from testbed.wait import wait_until

from tests.netns import transfer
from tests.netns.conftest import one_router
from tests.netns.transfer import UDP_SEGMENT, family_of, udp_client
from tests.netns.world import BUSINESS, Agent, World

NOT_ECT, ECT1, ECT0, CE = range(4)
NAMES = {NOT_ECT: "not-ect", ECT1: "ect1", ECT0: "ect0", CE: "ce"}
TRAIN, EACH = 20, 1000


class Marks:
    """Counts, and changes, the ECN of what the underlay brings to the router."""

    def __init__(self, world: World, underlay: int) -> None:
        self._world = world
        self._ip = "ip" if underlay == 4 else "ip6"
        counters = "".join(
            f"add rule inet marks count udp dport 51820 {self._ip} ecn {name} counter;"
            for name in NAMES.values()
        )
        self._nft(
            "add table inet marks;"
            "add chain inet marks count { type filter hook prerouting priority -400; };"
            "add chain inet marks change { type filter hook prerouting priority -390; };" + counters
        )

    def _nft(self, commands: str) -> None:
        self._world.exec("router_a", "nft", commands)

    def leave(self) -> None:
        """Change nothing from now on."""
        self._nft("flush chain inet marks change")

    def change(self, which: str, to: int) -> None:
        """From now on, and nothing else; `which` follows `ip ecn` in a rule."""
        self.leave()
        rule = f"udp dport 51820 {self._ip} ecn {which} {self._ip} ecn set {NAMES[to]}"
        self._nft(f"add rule inet marks change {rule}")

    def count(self) -> dict[int, int]:
        """Packets (a train is one) that came with each value."""
        listing = self._world.exec(
            "router_a", "nft", "-j", "list", "chain", "inet", "marks", "count"
        )
        rules = [r["rule"]["expr"] for r in json.loads(listing)["nftables"] if "rule" in r]
        found = [e["counter"]["packets"] for rule in rules for e in rule if "counter" in e]
        return dict(zip(NAMES, found, strict=True))


def send(client: socket.socket, ecn: int) -> None:
    """A small datagram, then a super-packet of TRAIN datagrams."""
    if client.family == socket.AF_INET:
        client.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, ecn)
    else:
        client.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, ecn)
    client.send(b"small")
    client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, EACH)
    client.send(os.urandom(TRAIN * EACH))
    client.setsockopt(socket.IPPROTO_UDP, UDP_SEGMENT, 0)


def arrived(server: socket.socket) -> list[int]:
    """The ECN of the next datagrams of one `send`."""
    marks = []
    for _ in range(1 + TRAIN):
        _, ancillary, _, _ = server.recvmsg(2048, 64)
        value = ancillary[0][2]
        marks.append((value[0] if len(value) == 1 else struct.unpack("=i", value)[0]) & 3)
    return marks


def malformed(router: Agent) -> int:
    """How many of the datagrams that came to it were dropped as such."""
    return int(router.status()["figures"]["drops"]["malformed"])


@pytest.mark.parametrize("underlay", [4, 6])
def test_marks_of_the_underlay_arrive_inside(world: World, codec: str, underlay: int) -> None:
    marks = Marks(world, underlay)
    router, _ = one_router(world, underlay=underlay)
    for address in BUSINESS:
        server = world.socket("business", family_of(address), socket.SOCK_DGRAM)
        server.bind((address, 0))
        if server.family == socket.AF_INET:
            server.setsockopt(socket.IPPROTO_IP, socket.IP_RECVTOS, 1)
        else:
            server.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        with closing(server), closing(udp_client(world, server.getsockname()[:2])) as client:
            marks.leave()
            for ecn in (NOT_ECT, ECT0, ECT1, CE):
                before = marks.count()
                send(client, ecn)
                assert arrived(server) == [ecn] * (1 + TRAIN)
                assert marks.count()[ecn] > before[ecn], "the outer header has the inner mark"

            marks.change("!= not-ect", CE)
            for ecn in (ECT0, ECT1):
                send(client, ecn)
                assert arrived(server) == [CE] * (1 + TRAIN)
            marks.change("ect0", ECT1)
            send(client, ECT0)
            assert arrived(server) == [ECT1] * (1 + TRAIN)

            gone = malformed(router) + 1 + TRAIN
            marks.change("not-ect", CE)
            send(client, NOT_ECT)  # may not be delivered: its sender would not heed the mark
            wait_until(lambda gone=gone: malformed(router) >= gone, 5, "all are dropped")
            marks.leave()
            send(client, ECT0)
            assert arrived(server) == [ECT0] * (1 + TRAIN)
            assert malformed(router) == gone


def test_a_tcp_connection_that_is_marked_all_the_time_carries_its_bytes(
    world: World, codec: str
) -> None:
    """The sender answers marks with CWR, which is of the first slice of a super-packet only."""
    marks = Marks(world, 6)
    one_router(world)
    for host in ("endpoint", "business"):
        world.exec(host, "sysctl", "-qw", "net.ipv4.tcp_ecn=1")
    marks.change("ect0 numgen random mod 10 < 1", CE)
    for address in BUSINESS:
        transfer.tcp(world, address, 5_000_000, upload=True, congestion="reno")
    assert marks.count()[ECT0] > 100
    told = world.exec("endpoint", "nstat", "-az", "TcpExtTCPDeliveredCE").split()
    assert int(told[told.index("TcpExtTCPDeliveredCE") + 1]) > 10
