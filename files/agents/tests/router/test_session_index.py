"""Session indices that begin alike, and the sockets that the kernel chooses by them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest
from hypothesis import given
from hypothesis import strategies as st
from testbed.ports import free_port

from nrs.router import session_index
from nrs.router.listening import Port, listen
from nrs.system.descriptor_store import DescriptorStore
from nrs.tunnel import wire
from nrs.tunnel.udp_socket import UdpSocket
from nrs.tunnel.wire import Type

FIRST = session_index.beginning()


@given(st.integers(0, (1 << session_index.BITS) - 1), st.binary(min_size=4, max_size=4))
def test_one_that_is_drawn_begins_as_it_is_to(first: int, random: bytes) -> None:
    index = session_index.drawn(first, lambda _: random)
    assert 0 <= index < 1 << 32
    assert index >> 32 - session_index.BITS == first


def test_it_begins_otherwise_after_another_boot() -> None:
    boots = [session_index.beginning(f"{number}\n") for number in range(20)]
    assert len(set(boots)) > 15
    assert session_index.beginning("0") == boots[0]
    assert session_index.beginning() == FIRST


@pytest.fixture(params=[("127.0.0.1", "127.0.0.1"), ("::", "127.0.0.1"), ("::", "::1")])
def divided(request: pytest.FixtureRequest) -> Iterator[tuple[Port, socket.socket]]:
    """The sockets of a port, and one that is connected to it."""
    here, there = request.param
    with ExitStack() as cleanup:
        (port,) = listen(here, [free_port()], DescriptorStore({}), cleanup)
        family = socket.AF_INET6 if ":" in there else socket.AF_INET
        sender = cleanup.enter_context(socket.socket(family, socket.SOCK_DGRAM))
        sender.connect((there, port.sessions.port))
        yield port, sender


def arrived(one: UdpSocket) -> list[bytes]:
    """What waits in it."""
    found, room = [], bytearray(70_000)
    while True:
        try:
            found.append(bytes(room[: one.receive_into(room)[0]]))
        except BlockingIOError:
            return found


def datagram(kind: Type, index: int) -> bytes:
    return wire.HEADER.pack(wire.first_byte(kind), 0, 0, 0, index, 1, 0) + os.urandom(50)


def test_the_kernel_tells_datagrams_of_sessions_from_others(
    divided: tuple[Port, socket.socket],
) -> None:
    port, sender = divided
    port.sessions.divide(session_index.divider(FIRST))
    own = FIRST << 20
    sessions = [datagram(kind, own | 5) for kind in Type if kind is not Type.HELLO]
    sessions += [datagram(Type.DATA, own), datagram(Type.DATA, own | 0xFFFFF)]
    strays = [
        datagram(Type.HELLO, 0),
        datagram(Type.HELLO, own | 5),
        datagram(Type.DATA, (FIRST ^ 1) << 20),
        datagram(Type.PROBE, (FIRST ^ 1 << session_index.BITS - 1) << 20 | 5),
        b"",
        datagram(Type.DATA, own)[:7],
    ]
    for one in [*sessions, *strays]:
        sender.send(one)
    assert arrived(port.sessions) == sessions
    assert arrived(port.strays) == strays


def test_at_first_it_tells_only_hellos_from_others(divided: tuple[Port, socket.socket]) -> None:
    port, sender = divided
    sessions = [datagram(Type.DATA, index) for index in (1, FIRST << 20, (FIRST ^ 1) << 20)]
    strays = [datagram(Type.HELLO, 0), datagram(Type.HELLO, FIRST << 20), b"short"]
    for one in [*sessions, *strays]:
        sender.send(one)
    assert arrived(port.sessions) == sessions
    assert arrived(port.strays) == strays


def test_a_train_goes_the_way_of_its_first_datagram(divided: tuple[Port, socket.socket]) -> None:
    port, sender = divided
    sender.setsockopt(socket.IPPROTO_UDP, 103, 66)  # UDP_SEGMENT
    mine = b"".join(datagram(Type.DATA, FIRST << 20 | 5)[:66] for _ in range(10))
    sender.send(mine)
    assert port.sessions.receive_into(bytearray(70_000))[:2] == (660, 66)
    assert arrived(port.strays) == []
