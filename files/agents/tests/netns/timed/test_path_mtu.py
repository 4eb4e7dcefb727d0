"""Paths that carry less than 1500 bytes, drop fragments and send no ICMP; one that carries 9000."""

from __future__ import annotations

import re
import socket
from contextlib import closing

import pytest
from testbed.wait import wait_until

from tests.netns import transfer
from tests.netns.conftest import is_up, one_router
from tests.netns.test_icmp import V4, V6, icmp_error_for
from tests.netns.timed.test_failover import lost, start_ping
from tests.netns.transfer import Download, Echo, family_of, udp_client
from tests.netns.world import BUSINESS, UNDERLAY6, Agent, World

TUNNEL_OVERHEAD = 52 + 8
MTU = 1400
PATHS = {
    4: ("203.0.113.1", "203.0.113.2", "203.0.113.5", "203.0.113.6", "203.0.113.9", "203.0.113.10"),
    6: tuple(f"2001:db8:{link}::{end}" for link in "cde" for end in "12"),
}
"""By IP version, along the way: endpoint - west - east - router."""
BITS = {4: 30, 6: 64}
BLACK_HOLE = (
    "add table inet hole;"
    "add chain inet hole in { type filter hook prerouting priority -450; };"
    "add rule inet hole in iifname { w0, w1, e0, e1, wan2 } ip frag-off & 0x3fff != 0 counter drop;"
    "add rule inet hole in iifname { w0, w1, e0, e1, wan2 } exthdr frag exists counter drop"
)
TELL_NOBODY = (
    "add chain inet hole out { type filter hook output priority 0; };"
    "add rule inet hole out icmp type destination-unreachable drop;"
    "add rule inet hole out icmpv6 type packet-too-big drop"
)


def room(mtu: int, underlay: int) -> int:
    """What an inner packet may have on a path of `mtu` bytes."""
    return mtu - TUNNEL_OVERHEAD - (20 if underlay == 4 else 40)


def way(router: str) -> list[tuple[str, str]]:
    """The hosts and interfaces along it."""
    return [
        ("endpoint", "up2"),
        ("west", "w0"),
        ("west", "w1"),
        ("east", "e0"),
        ("east", "e1"),
        (router, "wan2"),
    ]


def build_path(world: World, underlay: int, router: str = "router_a") -> tuple[str, str]:
    """A way to the router through two hosts that tell nobody what they drop."""
    world.host("west")
    world.host("east")
    ends, names = way(router), PATHS[underlay]
    for one, other in (ends[0:2], ends[2:4], ends[4:6]):
        world.link(one, other)
    for (host, interface), address in zip(ends, names, strict=True):
        world.address(host, interface, f"{address}/{BITS[underlay]}")
    for host in ("west", "east"):
        forwarding = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        world.exec(host, "sysctl", "-qw", *forwarding)
    for host in ("west", "east", router):
        world.exec(host, "nft", BLACK_HOLE)
    for host in ("west", "east"):
        world.exec(host, "nft", TELL_NOBODY)
    for host, to, via in (
        ("endpoint", names[5], names[1]),
        ("west", names[5], names[3]),
        ("east", names[0], names[2]),
        (router, names[0], names[4]),
    ):
        world.ip(host, "route", "add", to, "via", via)
    return names[0], names[5]


def narrow(world: World, mtu: int) -> None:
    """Let the link in the middle carry so much: neither end sees it."""
    world.ip("west", "link", "set", "w1", "mtu", str(mtu))
    world.ip("east", "link", "set", "e0", "mtu", str(mtu))


def local(world: World, mtu: int) -> None:
    """Let the endpoint's own link carry so much, as PPPoE does."""
    world.ip("endpoint", "link", "set", "up2", "mtu", str(mtu))
    world.ip("west", "link", "set", "w0", "mtu", str(mtu))


def knows(mtu: int, *agents: Agent) -> bool:
    """Whether the agents' first tunnels have found that."""
    tunnels = [next(iter(agent.tunnels().values()), {}) for agent in agents]
    return all(t.get("path_mtu") == mtu for t in tunnels) and all(
        t.get("path_state", "complete") == "complete" for t in tunnels
    )


def fragments(world: World, *hosts: str) -> int:
    """Outer fragments that have arrived anywhere."""
    listed = [world.exec(host, "nft", "list", "table", "inet", "hole") for host in hosts]
    return sum(int(n) for text in listed for n in re.findall(r"counter packets (\d+)", text))


def assert_echoes(world: World, address: str, length: int) -> None:
    """Packets of this length that this host may not cut come back."""
    size = str(length - (48 if ":" in address else 28))
    words = ("-q", "-M", "do", "-s", size, "-c", "5", "-i", "0.1", "-W", "5", address)
    assert " 5 received" in world.exec("endpoint", "ping", *words, check=False)


@pytest.mark.parametrize(
    ("mtu", "where", "underlay"),
    [(1492, local, 6), (1400, narrow, 4), (1400, narrow, 6), (1280, narrow, 6), (1280, local, 4)],
)
def test_everything_passes_a_path_that_drops_what_is_too_long(
    world: World, codec: str, mtu: int, where: object, underlay: int
) -> None:
    path = build_path(world, underlay)
    assert callable(where)
    where(world, mtu)
    router, endpoint = one_router(world, path=path)
    wait_until(lambda: knows(mtu, router, endpoint), 5, f"both ends know {mtu}")
    for address in BUSINESS:
        # Before anything has told these kernels what the path takes.
        assert_echoes(world, address, MTU)
        transfer.tcp(world, address, 3_000_000)
        transfer.tcp(world, address, 3_000_000, upload=True)
        transfer.udp(world, address, each=1100)
    assert fragments(world, "west", "east", "router_a") == 0
    # What is told apart goes together all the same.
    for agent in (router, endpoint):
        assert "udp_segment" in agent.status()["offloads"]


def test_the_size_is_found_while_the_first_packets_pass(world: World, codec: str) -> None:
    path = build_path(world, 6)
    narrow(world, 1400)
    router = world.router("router_a")
    endpoint = world.endpoint(
        routers=[{"router_id": "router_a", "external_ip": path[1], "bind_address": path[0]}]
    )
    wait_until(lambda: is_up(endpoint), 20, "tunnel up")
    assert world.ping(BUSINESS[0], 1)
    transfer.tcp(world, BUSINESS[0], 1_000_000)
    wait_until(lambda: knows(1400, router, endpoint), 2, "both ends know 1400")


@pytest.mark.parametrize("underlay", [4, 6])
def test_a_path_that_shrinks_and_grows_while_traffic_flows(
    world: World, codec: str, underlay: int
) -> None:
    path = build_path(world, underlay)
    narrow(world, 1500)
    router, endpoint = one_router(world, path=path)
    wait_until(lambda: knows(1500, router, endpoint), 5, "both ends know 1500")
    with (
        closing(world.socket("business", socket.AF_INET, socket.SOCK_STREAM)) as listener,
        closing(world.socket("endpoint", socket.AF_INET, socket.SOCK_STREAM)) as near,
    ):
        listener.bind((BUSINESS[0], 0))
        listener.listen()
        near.connect(listener.getsockname())
        far, _ = listener.accept()
        with closing(far), Download(near, far, 12_000_000, 1_500_000) as download:
            ping = start_ping(world, 400)
            for mtu in (1400, 1300, 1500, 1492):
                narrow(world, mtu)
                # A second is what it may take; asking costs some, on a busy machine more.
                wait_until(lambda mtu=mtu: knows(mtu, router, endpoint), 2.5, f"{mtu} is known")
            download.end(30)
            # One that shared a datagram with others was as long as these.
            assert lost(ping) <= 8
    assert endpoint.tunnels()["router_a"]["state"] == "up"
    assert "moves" not in endpoint.log.partition("first tunnel")[2]


def test_after_a_failover_to_a_shorter_path(world: World, codec: str) -> None:
    """What is on its way then is split, and later packets are told to be shorter."""
    path = build_path(world, 6, "router_b")
    narrow(world, 1400)
    world.router("router_a"), world.router("router_b")
    near, far = UNDERLAY6["router_a"]
    endpoint = world.endpoint(
        routers=[
            {"router_id": "router_a", "external_ip": far, "bind_address": near},
            {"router_id": "router_b", "external_ip": path[1], "bind_address": path[0]},
        ]
    )

    def both() -> bool:
        sizes = {name: t["path_mtu"] for name, t in endpoint.tunnels().items()}
        return sizes == {"router_a": 1500, "router_b": 1400}

    wait_until(both, 20, "both paths are known")
    endpoint.command("advise", router_id="router_a")
    wait_until(lambda: endpoint.tunnels()["router_a"]["active"], 5, "router_a is in use")
    size = MTU - 28
    with Echo(world, BUSINESS[0]) as echo, closing(udp_client(world, echo.name)) as client:
        client.settimeout(0.2)
        # Not to be cut by this host either: a packet that is too long would be an error.
        client.setsockopt(socket.IPPROTO_IP, V4[1], 2)

        def answered() -> bool:
            client.send(bytes(size))
            try:
                return len(client.recv(65_536)) == size
            except TimeoutError:
                return False

        assert answered()
        world.blackhole("router_a")
        sent = 0
        while not endpoint.tunnels()["router_b"]["active"]:
            sent += 1
            client.send(bytes(size))
            assert sent < 1000
        # In this second nothing is refused: the echo's way back is another matter, so count here.
        before = endpoint.status()["figures"]["drops"]["too_long"]
        for _ in range(20):
            client.send(bytes(size))
        assert endpoint.status()["figures"]["drops"]["too_long"] == before == 0
    transfer.tcp(world, BUSINESS[0], 2_000_000)
    transfer.tcp(world, BUSINESS[1], 2_000_000, upload=True)


@pytest.mark.parametrize("address", BUSINESS)
def test_who_sends_what_is_too_long_is_told_so(world: World, codec: str, address: str) -> None:
    path = build_path(world, 6)
    narrow(world, 1392)
    router, endpoint = one_router(world, path=path)
    wait_until(lambda: knows(1392, router, endpoint), 5, "both ends know 1392")
    six = ":" in address
    kind = (V6 if six else V4)[5]
    longest = room(1392, 6)
    assert longest == 1292

    with closing(world.socket("endpoint", family_of(address), socket.SOCK_DGRAM)) as own:
        error, by = icmp_error_for(own, longest + 1, (address, 9))
    assert error == (*kind, longest)
    assert by == address

    # The business server, through the router's NAT; first on a path that nobody has told of.
    server = world.socket("business", family_of(address), socket.SOCK_DGRAM)
    with closing(server), closing(world.socket("endpoint", server.family, server.type)) as near:
        server.bind((address, 0))
        near.sendto(b"hello", server.getsockname()[:2])
        _, peer = server.recvfrom(100)
        error, by = icmp_error_for(server, MTU, peer[:2])
        assert error == (*kind, longest)
        assert by == peer[0]
        headers = 48 if six else 28
        server.sendto(bytes(longest - headers), peer)
        assert len(near.recv(2048)) == longest - headers
    for agent in (router, endpoint):
        assert agent.status()["figures"]["drops"]["too_long"] == 1


@pytest.mark.parametrize("underlay", [4, 6])
def test_9000_bytes(world: World, codec: str, underlay: int) -> None:
    path = build_path(world, underlay)
    for host, interface in (
        *way("router_a"),
        ("router_a", "egress0"),
        ("business", "r1"),
        ("business", "br0"),
    ):
        world.ip(host, "link", "set", interface, "mtu", "9000")
    router = world.router("router_a", tunnel={"mtu": 8900})
    router, endpoint = one_router(world, path=path, router=router, mtu=8900)
    wait_until(lambda: knows(9000, router, endpoint), 5, "both ends know 9000")
    assert " mtu 8900 " in world.ip("endpoint", "link", "show", "tun0")
    for address in BUSINESS:
        assert_echoes(world, address, 8900)
        transfer.tcp(world, address, 20_000_000)
        transfer.tcp(world, address, 20_000_000, upload=True)
        transfer.udp(world, address)
    # Few datagrams for so many bytes: they were as long as the path.
    figures = endpoint.status()["figures"]
    assert figures["rx_datagrams"] < figures["rx_bytes"] / 4000
    assert fragments(world, "west", "east", "router_a") == 0


def test_a_device_of_8900_bytes_on_a_path_of_1500(world: World, codec: str) -> None:
    path = build_path(world, 6)
    router = world.router("router_a", tunnel={"mtu": 8900})
    router, endpoint = one_router(world, path=path, router=router, mtu=8900)
    wait_until(lambda: knows(1500, router, endpoint), 5, "both ends know 1500")
    for address in BUSINESS:
        transfer.tcp(world, address, 10_000_000)
        transfer.tcp(world, address, 10_000_000, upload=True)
        transfer.udp(world, address)
    assert world.ping(BUSINESS[0])
