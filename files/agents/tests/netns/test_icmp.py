"""What is too large for the tunnel is told so, and TCP is told before it is too large."""

from __future__ import annotations

import errno
import select
import socket
import struct
from contextlib import closing

import pytest
from testbed.wait import wait_until

from tests.netns.capture import Capture
from tests.netns.conftest import one_router
from tests.netns.transfer import family_of, udp_client
from tests.netns.world import BUSINESS, World

MTU = 1400
SYN, ACK = 0x02, 0x10
_PMTUDISC_DO = 2
_ERROR = struct.Struct("=IBBBxII")
# family: level, MTU_DISCOVER, MTU, RECVERR, IP and UDP header, origin, type and code
V4 = (socket.IPPROTO_IP, 10, 14, 11, 28, (2, 3, 4))
V6 = (socket.IPPROTO_IPV6, 23, 24, 25, 48, (3, 2, 0))
LAN = {"client": ("172.30.0.2", "fd00:30::2"), "endpoint": ("172.30.0.1", "fd00:30::1")}


def icmp_error_for(sock: socket.socket, size: int, peer: tuple[str, int]) -> tuple[object, str]:
    """Send a packet of `size` bytes that may not be cut; the ICMP error for it, and by whom.

    The error is (origin, type, code, MTU).
    """
    level, discover, _, receive_errors, headers, _ = V4 if sock.family == socket.AF_INET else V6
    sock.setsockopt(level, discover, _PMTUDISC_DO)
    sock.setsockopt(level, receive_errors, 1)
    sock.sendto(bytes(size - headers), peer)
    poller = select.poll()
    poller.register(sock, 0)
    assert poller.poll(5000), "no ICMP error within 5 s"
    _, ancillary, _, _ = sock.recvmsg(2048, 512, socket.MSG_ERRQUEUE)
    data = next(value for at, kind, value in ancillary if (at, kind) == (level, receive_errors))
    number, origin, kind, code, mtu, _ = _ERROR.unpack_from(data)
    assert number == errno.EMSGSIZE
    at = _ERROR.size + (4 if sock.family == socket.AF_INET else 8)
    offender = data[at : at + (4 if sock.family == socket.AF_INET else 16)]
    return (origin, kind, code, mtu), socket.inet_ntop(sock.family, offender)


@pytest.mark.parametrize("address", BUSINESS)
def test_a_packet_longer_than_the_tunnel_takes_causes_the_right_error(
    world: World, address: str
) -> None:
    one_router(world)
    level, discover, mtu, _, headers, kind = V4 if ":" not in address else V6
    family = int(":" in address)

    # the endpoint itself
    with closing(udp_client(world, (address, 9))) as own:
        own.setsockopt(level, discover, _PMTUDISC_DO)
        own.send(bytes(MTU - headers))
        with pytest.raises(OSError, match="too long"):
            own.send(bytes(MTU + 1 - headers))
        assert own.getsockopt(level, mtu) == MTU

    # a host behind the endpoint
    world.host("client")
    world.link(("client", "lan0"), ("endpoint", "lan0"))
    for host, addresses in LAN.items():
        world.address(host, "lan0", f"{addresses[0]}/24")
        world.address(host, "lan0", f"{addresses[1]}/64")
    world.ip("client", "route", "add", "default", "via", LAN["endpoint"][family])
    forwarding = ("net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    world.exec("endpoint", "sysctl", "-qw", *forwarding)
    client = world.socket("client", family_of(address), socket.SOCK_DGRAM)
    with closing(client):
        error, by = icmp_error_for(client, MTU + 1, (address, 9))
    assert error == (*kind, MTU)
    assert by == LAN["endpoint"][family]

    # the business server, through the router's NAT
    server = world.socket("business", family_of(address), socket.SOCK_DGRAM)
    with closing(server), closing(world.socket("endpoint", server.family, server.type)) as near:
        server.bind((address, 0))
        near.sendto(b"hello", server.getsockname()[:2])
        _, peer = server.recvfrom(100)
        error, by = icmp_error_for(server, MTU + 1, peer[:2])
        assert error == (*kind, MTU)
        assert by == peer[0]
        server.sendto(bytes(MTU - headers), peer)
        assert len(near.recv(2048)) == MTU - headers


@pytest.mark.parametrize("address", BUSINESS)
def test_the_mss_of_forwarded_connections_is_clamped_both_ways(world: World, address: str) -> None:
    _, endpoint = one_router(world)
    wait_until(lambda: endpoint.tunnels()["router_a"]["path_mtu"] == 1500, 10, "the path's size")
    six = ":" in address
    network = "2001:db8:100::/64" if six else "198.51.100.0/24"
    # What hosts with an MTU of 1500 behind the endpoint would ask for:
    route = (network, "dev", "tun0", "advmss", "1460", "metric", "1")
    world.ip("endpoint", "route", "add", *route)
    with Capture(world, "business", "r1") as far, Capture(world, "endpoint", "tun0") as near:
        with (
            closing(world.socket("business", family_of(address), socket.SOCK_STREAM)) as listener,
            closing(world.socket("endpoint", family_of(address), socket.SOCK_STREAM)) as client,
        ):
            listener.bind((address, 0))
            listener.listen()
            client.connect(listener.getsockname()[:2])
        at_endpoint, at_business = handshake(near), handshake(far)
    clamped = MTU - (60 if six else 40)
    assert at_endpoint == {"SYN": 1460, "SYN ACK": clamped}
    assert at_business == {"SYN": clamped, "SYN ACK": 1440 if six else 1460}


def handshake(capture: Capture) -> dict[str, int]:
    """The maximum segment size that SYN and SYN ACK carried."""
    sizes = {}
    for seen in capture.packets():
        if seen.protocol == socket.IPPROTO_TCP and seen.payload[13] & SYN:
            kind, length, size = struct.unpack_from("!BBH", seen.payload, 20)
            assert (kind, length) == (2, 4), "the first option of Linux is the MSS"
            sizes["SYN ACK" if seen.payload[13] & ACK else "SYN"] = size
    return sizes
