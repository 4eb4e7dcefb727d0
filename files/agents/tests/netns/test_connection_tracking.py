"""A router's own datagrams are no connections; what it forwards is, whatever its ports are."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from ipaddress import ip_network
from pathlib import Path

import pytest
from testbed.wait import wait_until

from nrs.tunnel.wire import Type, first_byte
from tests.netns.conftest import is_up, one_router
from tests.netns.counting import count, counted, stop_counting
from tests.netns.host.test_ports import second_endpoint
from tests.netns.transfer import family_of, tcp, udp
from tests.netns.world import BUSINESS, ENDPOINT_TUN, UNDERLAY4, UNDERLAY6, World

PORT = 51820
SOURCES = 1000
STRANGERS = ("198.18.0.0/20", "2001:db8:5::/64")
SECOND_TUN = ("10.10.100.2", "fd00:10:100::2")
_FREEBIND = {4: (socket.IPPROTO_IP, 15), 6: (socket.IPPROTO_IPV6, 78)}
both_families = pytest.mark.parametrize("version", [4, 6])


def of(version: int, pair: tuple[str, str]) -> str:
    return pair[version == 6]


def tracked(world: World) -> int:
    """Connections that the router's kernel knows."""
    with world.inside("router_a"):
        return int(Path("/proc/sys/net/netfilter/nf_conntrack_count").read_text(encoding="ascii"))


def send_from_many(world: World, version: int) -> None:
    """A HELLO that nobody can answer, of as many sources."""
    network = ip_network(STRANGERS[version == 6])
    world.ip("endpoint", f"-{version}", "route", "add", "local", str(network), "dev", "lo")
    near, far = (UNDERLAY4 if version == 4 else UNDERLAY6)["router_a"]
    world.ip("router_a", f"-{version}", "route", "add", str(network), "via", near)
    datagram = bytes([first_byte(Type.HELLO)]) + bytes(119)
    for number in range(1, SOURCES + 1):
        with world.socket("endpoint", family_of(far), socket.SOCK_DGRAM) as stranger:
            stranger.setsockopt(*_FREEBIND[version], 1)
            stranger.bind((str(network[number]), 0))
            stranger.sendto(datagram, (far, PORT))


@both_families
def test_strangers_leave_nothing_in_connection_tracking(world: World, version: int) -> None:
    router, _ = one_router(world, underlay=version)
    before = tracked(world)
    count(world, "prerouting", -400, f"iifname wan0 udp dport {PORT} udp length 128")
    send_from_many(world, version)
    wait_until(lambda: counted(world) == SOURCES, 10, "all have arrived")
    # The router's own echoes and what it resolves come and go.
    assert tracked(world) < before + 50
    for address in BUSINESS:
        tcp(world, address, 100_000)
        udp(world, address)
        assert world.ping(address)
    assert tracked(world) < before + 100
    assert "in connection tracking" not in router.log


@both_families
def test_neither_what_comes_nor_what_goes_is_tracked(world: World, version: int) -> None:
    """What goes would be tracked by itself: a router also answers sources that are spoofed."""
    one_router(world, underlay=version)
    count(world, "postrouting", 300, f"udp sport {PORT} ct state != untracked")
    assert world.ping(BUSINESS[0])
    assert counted(world) == 0
    stop_counting(world)
    count(world, "input", 300, f"udp dport {PORT} ct state != untracked")
    assert world.ping(BUSINESS[0])
    assert counted(world) == 0


@pytest.fixture
def server(world: World, version: int) -> Iterator[socket.socket]:
    address = of(version, BUSINESS)
    with closing(world.socket("business", family_of(address), socket.SOCK_DGRAM)) as opened:
        opened.bind((address, 0))
        yield opened


def client(world: World, host: str, own: str, port: int, server: socket.socket) -> socket.socket:
    """A socket at an endpoint that leaves from this port."""
    opened = world.socket(host, family_of(own), socket.SOCK_DGRAM)
    opened.settimeout(5)
    opened.bind((own, port))
    opened.connect(server.getsockname()[:2])
    return opened


def seen_port(asking: socket.socket, server: socket.socket) -> int:
    """The port that the server sees a question come from; its answer has to arrive."""
    asking.send(b"question")
    asked, peer = server.recvfrom(100)
    server.sendto(b"answer", peer)
    assert (asked, asking.recv(100)) == (b"question", b"answer")
    return int(peer[1])


@both_families
def test_clients_that_use_the_tunnels_port_get_their_answers(
    world: World, version: int, server: socket.socket
) -> None:
    _, first = one_router(world)
    second = second_endpoint(world, [PORT], "198.51.100.0/24", "2001:db8:100::/64")
    wait_until(lambda: is_up(first) and is_up(second), 20, "both tunnels up")
    places = (("endpoint", ENDPOINT_TUN), ("second", SECOND_TUN))
    for port in (PORT, 40_000, 1, 600):
        with ExitStack() as stack:
            asking = [
                stack.enter_context(client(world, host, of(version, own), port, server))
                for host, own in places
            ]
            seen = [seen_port(one, server) for one in asking]
            assert seen == [seen_port(one, server) for one in asking], "they stay where they are"
        assert len(set(seen)) == 2
        assert PORT not in seen
        assert (port in seen) == (port != PORT), "a port that is free is kept"


@both_families
def test_a_connection_whose_port_becomes_a_tunnels_gets_another_one(
    world: World, version: int, server: socket.socket
) -> None:
    world.managed = True
    router, endpoint = one_router(world)
    with client(world, "endpoint", of(version, ENDPOINT_TUN), 4500, server) as asking:
        assert seen_port(asking, server) == 4500
        ports = [PORT, 4500]
        router.write({**router.config, "server": {**router.config["server"], "bind_ports": ports}})
        router.restart()
        wait_until(lambda: router.tunnels() and is_up(endpoint), 20, "the tunnel is up")
        assert seen_port(asking, server) not in (4500, PORT)
