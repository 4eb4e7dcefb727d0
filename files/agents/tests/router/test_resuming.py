"""A routing server goes on with the sessions that the process before it has left."""

from __future__ import annotations

import ipaddress
import itertools
import os
import socket
from collections.abc import Collection, Iterator
from contextlib import ExitStack, closing
from types import SimpleNamespace
from typing import Any, cast

import pytest

from nrs.router.endpoints import Endpoints
from nrs.router.listening import Port
from nrs.router.machine import RouterMachine
from nrs.router.session_index import begins, divider
from nrs.router.session_table import OLDEST_S, Device
from nrs.system.route import Prefix, prefix_of
from nrs.system.route_keeper import RouteKeeper
from nrs.tunnel import wire
from nrs.tunnel.codec.python import CODEC
from nrs.tunnel.control import Control
from nrs.tunnel.handshake import Initiator, StaticKey
from nrs.tunnel.loop import PacketLoop
from nrs.tunnel.session import Session
from nrs.tunnel.session_memory import SessionMemory
from nrs.tunnel.tun_device import TunDevice
from nrs.tunnel.udp_socket import UdpSocket
from nrs.tunnel.wire import Claim, Type
from tests.router.driven import (
    CLAIM,
    ELSEWHERE,
    FLOW,
    NEW,
    OLD,
    WALL,
    believed,
    config,
    peer,
    shared,
    text,
)
from tests.tunnel.fakes import FakeLoop, FakeTun

_STAMPS = itertools.count(1)
_V6: Any = SimpleNamespace(_family=socket.AF_INET6)


class Socket:
    """Keeps what is sent; knows how IPv6 addresses are written."""

    def __init__(self) -> None:
        self.port = 51820
        self.sent: list[bytes] = []
        self.programs: list[bytes] = []

    def divide(self, program: bytes) -> None:
        self.programs.append(program)

    def fileno(self) -> int:
        return -1

    def packed(self, to: tuple[Any, ...]) -> bytes:
        return UdpSocket.packed(_V6, to)

    def can_reach(self, to: tuple[Any, ...] | None) -> bool:
        return UdpSocket.can_reach(_V6, to)

    def send_one(self, datagram: bytes, *_: object) -> bool:
        self.sent.append(datagram)
        return True


class Routes:
    """Addresses that are routed; they outlive a process, as the device does."""

    def __init__(self) -> None:
        self.routed: set[Prefix] = set()

    def add(self, prefixes: Collection[Prefix]) -> None:
        self.routed.update(prefixes)

    def remove(self, prefixes: Collection[Prefix]) -> None:
        self.routed.difference_update(prefixes)


class Process:
    """A router's endpoints with a memory that outlives them."""

    def __init__(
        self, machine: RouterMachine, memory: SessionMemory, routes: Routes, opened: ExitStack
    ) -> None:
        self.machine = machine
        self.socket, self.loop = Socket(), FakeLoop()
        self._peers = iter(range(1, 1000))
        self.endpoints = Endpoints(
            machine,
            cast(PacketLoop, self.loop),
            cast(TunDevice, opened.enter_context(closing(FakeTun()))),
            [Port(cast(UdpSocket, self.socket), cast(UdpSocket, Socket()))],
            CODEC,
            memory,
            cast(RouteKeeper, routes),
            lambda: None,
            wall=lambda: WALL,
        )

    @property
    def sessions(self) -> dict[int, Session]:
        return self.endpoints.engine.sessions

    @property
    def device(self) -> Device:
        """The only one."""
        (device,) = self.machine.devices
        return device

    def offered(self, static: StaticKey, claim: Claim = CLAIM) -> Session:
        """A session that the endpoint has not used yet."""
        before = set(self.sessions)
        stamp = next(_STAMPS)
        believed(self.machine, claim)
        hello = Initiator(static, claim, 7, os.urandom, stamp).hello()
        there = cast(UdpSocket, self.socket)
        refused = self.endpoints.handshake(Type.HELLO, hello, there, peer(next(self._peers)), None)
        assert refused is None
        (index,) = set(self.sessions) - before
        return self.sessions[index]

    def confirm(self, session: Session) -> None:
        """As the engine does with the first authentic datagram."""
        session.confirmed = True
        self.endpoints.confirmed(session)

    def open(self, static: StaticKey, claim: Claim = CLAIM) -> Session:
        session = self.offered(static, claim)
        self.confirm(session)
        return session

    def say(self, session: Session, kind: Type, flags: int = 0) -> None:
        self.endpoints.control(session, Control(kind, flags, 0, 1, 0, b""))

    @property
    def selected(self) -> int:
        return self.machine.select(FLOW, 0, 0.0)


class Restarts:
    """One memory, and a process after the other."""

    def __init__(self, opened: ExitStack) -> None:
        self._opened = opened
        self._memory = opened.enter_context(closing(SessionMemory()))
        self.routes = Routes()

    def router(self, psk: bytes = OLD, beginning: int | None = None, **tunnel: object) -> Process:
        memory = SessionMemory(os.dup(self._memory.file.fd))
        self._opened.enter_context(closing(memory))
        machine = RouterMachine(
            config(psk, **tunnel), os.urandom, beginning=beginning, retry_secret=bytes(32)
        )
        router = Process(machine, memory, self.routes, self._opened)
        router.endpoints.resume()
        return router


@pytest.fixture
def restarts() -> Iterator[Restarts]:
    with ExitStack() as opened:
        yield Restarts(opened)


def test_everything_is_as_it_was(restarts: Restarts) -> None:
    before = restarts.router()
    session = before.open(shared())
    before.say(session, Type.ROLE, wire.ACTIVE)
    now = restarts.router()
    assert now.selected == session.local_index
    assert (now.device.claim, now.device.active, now.device.since) == (CLAIM, True, WALL)
    again = now.sessions[now.selected]
    assert again.confirmed
    assert again.path.peer == session.path.peer == peer(1)
    assert now.socket.sent == []


def test_a_session_is_as_old_as_it_was(restarts: Restarts) -> None:
    before = restarts.router()
    before.loop.clock.now -= 600
    session = before.open(shared())
    now = restarts.router()
    again = now.sessions[session.local_index]
    assert again.created == session.created
    for age, ends in ((OLDEST_S, False), (OLDEST_S + 1, True)):
        later = again.last_received = session.created + age
        now.endpoints.carry_out(now.machine.due(later, now.sessions))
        assert (now.sessions == {}) is ends
    assert [datagram[0] & 0x0F for datagram in now.socket.sent] == [Type.BYE]


def test_the_kernel_tells_strangers_apart_once_all_sessions_begin_alike(restarts: Restarts) -> None:
    """The first process is of a release whose indices began as they like."""
    session = restarts.router().open(shared())
    first = session.local_index >> 20 ^ 1
    now = restarts.router(beginning=first)
    assert now.socket.programs == []
    another = now.open(shared())
    assert begins(another.local_index, first)
    now.open(shared())
    later = restarts.router(beginning=first)
    assert session.local_index not in later.sessions
    assert later.socket.programs == [divider(first)]


def test_the_session_before_the_current_one_still_receives(restarts: Restarts) -> None:
    before = restarts.router()
    old, new = before.open(shared()), before.open(shared())
    now = restarts.router()
    assert set(now.sessions) == {old.local_index, new.local_index}
    assert now.selected == new.local_index
    third = now.open(shared())
    assert set(now.sessions) == {new.local_index, third.local_index}
    assert set(restarts.router().sessions) == {new.local_index, third.local_index}


def test_an_offer_that_has_just_been_made_is_good(restarts: Restarts) -> None:
    before = restarts.router()
    current, offered = before.open(shared()), before.offered(shared())
    now = restarts.router()
    assert now.selected == current.local_index
    session = now.sessions[offered.local_index]
    assert not session.confirmed
    now.confirm(session)
    assert now.selected == offered.local_index


@pytest.mark.parametrize(
    ("tunnel", "stays"),
    [
        ({}, True),
        ({"psk": NEW}, False),
        ({"psk": NEW, "previous_psk": text(OLD), "key_epoch": 1}, True),
        ({"key_modes": ["device"]}, False),
        ({"endpoint_networks": ["192.168.0.0/16", "fc00::/7"]}, False),
        ({"tun_ipv4": f"{CLAIM.tun_ipv4}/16"}, False),
        ({"tun_ipv4": "10.10.1.9/16"}, False),
        ({"server_id": "r2"}, False),
    ],
    ids=[
        *("same", "another PSK", "the PSK before", "mode", "networks"),
        *("the address is the router's now", "router's address", "router's name"),
    ],
)
def test_a_session_that_would_not_be_accepted_now_is_over(
    restarts: Restarts, tunnel: dict[str, Any], stays: bool
) -> None:
    session = restarts.router().open(shared())
    now = restarts.router(**tunnel)
    assert now.selected == (session.local_index if stays else 0)
    assert bool(now.sessions) is stays
    assert bool(restarts.router().sessions) is stays, "it was only left out, not released"


def test_a_peer_that_the_new_socket_cannot_reach_begins_anew(
    restarts: Restarts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another family of `bind_address` must not keep the router from starting."""
    restarts.router().open(shared())
    monkeypatch.setattr(Socket, "can_reach", lambda *_: False)
    assert restarts.router().sessions == {}
    monkeypatch.undo()
    assert restarts.router().sessions == {}, "it was only left out, not released"


def test_routes_of_endpoints_are_wanted_again(restarts: Restarts) -> None:
    restarts.router().open(shared(), ELSEWHERE)
    own = {prefix_of(ipaddress.ip_network(text)) for text in ("10.20.0.2", "fd00:20::2")}
    assert restarts.routes.routed == own
    restarts.routes.routed.clear()
    restarts.router().offered(shared(), ELSEWHERE)
    assert restarts.routes.routed == own


def test_an_offer_of_an_earlier_process_wants_no_routes(restarts: Restarts) -> None:
    restarts.router().offered(shared(), ELSEWHERE)
    assert len(restarts.router().sessions) == 1
    assert restarts.routes.routed == set()


def test_sessions_that_were_closed_do_not_come_back(restarts: Restarts) -> None:
    before = restarts.router()
    before.say(before.open(shared()), Type.BYE)
    assert restarts.router().sessions == {}
    stopped = restarts.router()
    stopped.open(shared())
    del stopped.socket.sent[:]
    stopped.endpoints.carry_out(stopped.machine.close())
    assert [datagram[0] & 0x0F for datagram in stopped.socket.sent] == [Type.BYE]
    assert restarts.router().sessions == {}
