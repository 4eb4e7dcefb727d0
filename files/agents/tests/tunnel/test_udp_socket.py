"""Sockets that a later process takes over, with what waits in them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import closing

import pytest

from nrs.tunnel.udp_socket import UdpSocket

PEER = ("127.0.0.1", 9)


@pytest.fixture(params=["::1", "127.0.0.1", "::", "0.0.0.0"])
def bound(request: pytest.FixtureRequest) -> Iterator[UdpSocket]:
    with closing(UdpSocket(request.param, 0)) as made:
        yield made


def test_what_waits_in_it_is_received(bound: UdpSocket) -> None:
    address, port = bound.local_address[:2]
    loopback = "::1" if ":" in address else "127.0.0.1"
    with closing(UdpSocket(loopback, 0, peer=(loopback, port))) as other:
        assert other.send_one(b"waiting")
    later = UdpSocket.adopt(os.dup(bound.fd), address, port)
    assert later is not None
    with closing(later):
        buffer = bytearray(100)
        assert later.receive_into(buffer)[0] == 7
        assert later.offloads == bound.offloads


@pytest.mark.parametrize(
    ("address", "port"), [("::", None), ("127.0.0.2", None), ("0.0.0.0", None), ("127.0.0.1", 0)]
)
def test_another_address_is_another_socket(address: str, port: int | None) -> None:
    with closing(UdpSocket("127.0.0.1", 0)) as before:
        wanted = before.local_address[1] if port is None else port
        now = UdpSocket.adopt(os.dup(before.fd), address, wanted)
    assert (now is not None) == (address == "127.0.0.1")
    if now is not None:
        now.close()


@pytest.mark.parametrize(
    ("address", "peer", "adopted"),
    [
        ("127.0.0.1", PEER, True),
        ("0.0.0.0", PEER, True),
        ("127.0.0.2", PEER, False),
        ("127.0.0.1", ("127.0.0.1", 10), False),
        ("127.0.0.1", ("127.0.0.2", 9), False),
        ("::1", ("::1", 9), False),
    ],
)
def test_a_connected_socket_is_of_one_peer(
    address: str, peer: tuple[str, int], adopted: bool
) -> None:
    with closing(UdpSocket("127.0.0.1", 0, peer=PEER)) as before:
        now = UdpSocket.adopt(os.dup(before.fd), address, 0, peer=peer)
        assert (now is not None) is adopted
        if now is not None:
            assert now.local_address == before.local_address
            now.close()


def is_cut(bound: UdpSocket, *, whole: bool) -> bool:
    """Whether DF is clear on what it sends over IPv4."""
    with closing(socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_UDP)) as wire:
        wire.settimeout(5)
        (bound.send_whole if whole else bound.send_one)(b"df?", *_there(bound))
        while not (packet := wire.recv(200)).endswith(b"df?"):
            continue
        return not packet[6] & 0x40


def _there(bound: UdpSocket) -> tuple[tuple[object, ...]]:
    if bound.local_address[0] == "::":
        return (("::ffff:127.0.0.1", 9, 0, 0),)
    return (("127.0.0.1", 9),)


@pytest.mark.parametrize("address", ["127.0.0.1", "0.0.0.0", "::"])
def test_only_what_has_to_stay_whole_may_not_be_cut_on_the_way(address: str) -> None:
    with closing(UdpSocket(address, 0)) as bound:
        assert [is_cut(bound, whole=whole) for whole in (False, True, False)] == [True, False, True]


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_what_is_too_long_for_the_interface_is_neither_cut_nor_sent(address: str) -> None:
    """The loopback carries 65,536 bytes."""
    with closing(UdpSocket(address, 0)) as there:
        peer = there.local_address
        with closing(UdpSocket(address, 0, peer=peer[:2])) as here:
            assert here.send_whole(bytes(60_000))
            assert not here.send_whole(bytes(65_536 + 1))
            assert there.receive_into(bytearray(70_000))[0] == 60_000
            with pytest.raises(BlockingIOError):
                there.receive_into(bytearray(70_000))


def test_what_arrives_is_joined_or_not_as_it_is_told() -> None:
    data, buffer = memoryview(bytes(3000)), bytearray(70_000)
    with (
        closing(UdpSocket("127.0.0.1", 0)) as there,
        closing(UdpSocket("127.0.0.1", 0, peer=there.local_address[:2])) as here,
    ):
        for allowed, lengths in ((True, [3000]), (False, [1000] * 3), (True, [3000])):
            there.join(allowed=allowed)
            assert ("udp_gro" in there.offloads) is allowed
            assert here.send(data, (0, 3000, 1000, 0)) == 3
            assert [there.receive_into(buffer)[0] for _ in lengths] == lengths
        assert here.send(data, (0, 3000, 1000, 0), together=False) == 3
        assert [there.receive_into(buffer)[0] for _ in range(3)] == [1000] * 3


def test_something_else_is_no_socket_to_go_on_with() -> None:
    stream = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    assert UdpSocket.adopt(stream.detach(), "127.0.0.1", 0) is None


@pytest.mark.parametrize(
    ("address", "peer", "reaches"),
    [
        ("::", ("2001:db8::1", 1, 0, 0), True),
        ("::", ("::ffff:192.0.2.1", 1, 0, 0), True),
        ("::", ("192.0.2.1", 1), False),
        ("0.0.0.0", ("192.0.2.1", 1), True),
        ("0.0.0.0", ("2001:db8::1", 1, 0, 0), False),
        ("0.0.0.0", None, False),
    ],
)
def test_which_peers_it_can_reach(
    address: str, peer: tuple[object, ...] | None, reaches: bool
) -> None:
    with closing(UdpSocket(address, 0)) as made:
        assert made.can_reach(peer) is reaches


def test_an_interface_that_is_not_there_is_told() -> None:
    with pytest.raises(OSError, match="there is no interface absent0"):
        UdpSocket("fe80::1%absent0", 0)
