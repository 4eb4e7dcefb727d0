"""Which keys a routing server accepts, and what becomes of sessions whose key has gone."""

from __future__ import annotations

import base64
import ipaddress
import logging
import os
import socket
from types import SimpleNamespace
from typing import Any

import pytest

from nrs.config.types import IPNetwork
from nrs.router.config import RoutingServerConfig
from nrs.router.policy import RouterPolicy
from nrs.tunnel import keys
from nrs.tunnel.codec.python import CODEC
from nrs.tunnel.drop import Drop
from nrs.tunnel.handshake import Initiator, StaticKey
from nrs.tunnel.session import Session
from nrs.tunnel.session_memory import SessionMemory
from nrs.tunnel.udp_socket import UdpSocket
from nrs.tunnel.wire import Claim, KeyMode, Type

OLD, NEW, OTHER = bytes(range(32)), bytes(range(50, 82)), bytes(range(100, 132))
CLAIM = Claim(
    "endpoint_1",
    ipaddress.IPv4Address("10.10.100.1"),
    ipaddress.IPv6Address("fd00:10:100::1"),
)
SOCKET: Any = SimpleNamespace(
    packed=lambda peer: UdpSocket.packed(_V6, peer),
    can_reach=lambda peer: UdpSocket.can_reach(_V6, peer),
)
"""Of no packet, but paths want to know how it writes addresses."""
_V6: Any = SimpleNamespace(_family=socket.AF_INET6)
FLOW = b"\x11" + bytes((198, 51, 100, 10)) + CLAIM.tun_ipv4.packed + bytes(4)
"""UDP from the business server to the endpoint."""


class Engine:
    """Keeps what it is given to send."""

    def __init__(self, memory: SessionMemory | None = None) -> None:
        self.codec = CODEC
        self.memory = memory
        self.sessions: dict[int, Session] = {}
        self.answers: list[bytes] = []
        self.said: list[tuple[Session, Type]] = []

    def add_session(self, session: Session) -> None:
        self.sessions[session.local_index] = session

    def remove_session(self, session: Session) -> None:
        self.sessions.pop(session.local_index, None)
        session.forget()

    def send_raw(self, _socket: Any, datagram: bytes, *_: Any) -> None:
        self.answers.append(datagram)

    def send_control(self, session: Session, kind: Type, *_: Any, **__: Any) -> None:
        assert session.local_index in self.sessions, "said after the session was forgotten"
        self.said.append((session, kind))


class Links:
    """Routes to the interface, by network."""

    def __init__(self) -> None:
        self.routed: set[IPNetwork] = set()

    def routes(self, _name: str) -> set[IPNetwork]:
        return set(self.routed)

    def add_route(self, network: IPNetwork, *_: Any) -> None:
        self.routed.add(network)

    def remove_route(self, network: IPNetwork, *_: Any) -> None:
        self.routed.discard(network)


def text(key: bytes) -> str:
    return base64.b64encode(key).decode()


def config(psk: bytes = OLD, server_id: str = "r", **tunnel: Any) -> RoutingServerConfig:
    server = {"server_id": server_id, "name": "r", "tunnel_id": 1, "egress_interface": "eth1"}
    addresses = {"tun_ipv4": "10.10.1.1/16", "tun_ipv6": "fd00:10:1::1/32"}
    return RoutingServerConfig.model_validate(
        {
            "server": server,
            "tunnel": {"psk": text(psk), **addresses, **tunnel},
            "load_balancer": {"url": "http://127.0.0.1:8080"},
        }
    )


def shared(psk: bytes = OLD, epoch: int = 0) -> StaticKey:
    return StaticKey(psk, KeyMode.SHARED, epoch)


def device(master: bytes = OLD, epoch: int = 0, claim: Claim = CLAIM) -> StaticKey:
    return StaticKey(keys.device_key(master, claim, epoch), KeyMode.DEVICE, epoch)


class Router:
    """A policy, and what endpoints do to it."""

    def __init__(
        self,
        first: RoutingServerConfig,
        memory: SessionMemory | None = None,
        links: Links | None = None,
    ) -> None:
        self.engine = Engine(memory)
        self.links = links or Links()
        self.policy = RouterPolicy(first, self.links)  # type: ignore[arg-type]
        self.policy.start(self.engine, SOCKET)  # type: ignore[arg-type]
        self._peers = iter(range(1, 1000))

    def hello(self, static: StaticKey, claim: Claim = CLAIM) -> Drop | None:
        datagram = Initiator(static, claim, 7, os.urandom).hello()
        peer = (f"2001:db8:{next(self._peers):x}::1", 5, 0, 0)
        return self.policy.handshake(Type.HELLO, datagram, SOCKET, peer, None)

    def offered(self, static: StaticKey) -> Session:
        """A session that the endpoint has not used yet."""
        before = set(self.engine.sessions)
        assert self.hello(static) is None
        (index,) = set(self.engine.sessions) - before
        return self.engine.sessions[index]

    def open(self, static: StaticKey) -> Session:
        session = self.offered(static)
        session.confirmed = True
        self.policy.confirmed(session)
        return session


BOTH = ["shared", "device"]


@pytest.mark.parametrize(
    ("modes", "static", "refused"),
    [
        (["shared"], shared(), None),
        (["device"], device(), None),
        (BOTH, shared(), None),
        (BOTH, device(), None),
        (["device"], shared(), Drop.MALFORMED),
        (["shared"], device(), Drop.MALFORMED),
        (["device"], shared(OTHER), Drop.MALFORMED),
        (["device"], device(OTHER), Drop.TAG),
        (["shared"], shared(OTHER), Drop.TAG),
    ],
)
def test_modes(modes: list[str], static: StaticKey, refused: Drop | None) -> None:
    router = Router(config(key_modes=modes))
    assert router.hello(static) is refused
    assert len(router.engine.answers) == (refused is None)


def test_a_device_key_made_for_another_address_is_refused() -> None:
    router = Router(config(key_modes=["device"]))
    another = Claim("endpoint_1", CLAIM.tun_ipv4 + 1, CLAIM.tun_ipv6)
    assert router.hello(device(), another) is Drop.TAG
    assert router.hello(device(claim=another), another) is None


@pytest.mark.parametrize(("epoch", "before"), [(1, 0), (0, 255)])
def test_two_epochs_are_accepted_each_with_its_own_key(epoch: int, before: int) -> None:
    router = Router(config(NEW, key_epoch=epoch, previous_psk=text(OLD), key_modes=["device"]))
    assert router.hello(device(NEW, epoch)) is None
    assert router.hello(device(OLD, before)) is None
    assert router.hello(device(OLD, epoch)) is Drop.TAG
    assert router.hello(device(NEW, before)) is Drop.TAG
    assert router.hello(device(NEW, epoch + 1)) is Drop.TAG


def refusals(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [r.getMessage() for r in caplog.records if r.levelno == logging.WARNING]


def test_a_refused_mode_is_logged_with_what_to_do_and_not_for_every_hello(
    caplog: pytest.LogCaptureFixture,
) -> None:
    router = Router(config(key_modes=["device"]))
    for _ in range(3):
        router.hello(shared())
    (line,) = refusals(caplog)
    assert "endpoint_1" in line
    assert "tunnel.key_modes" in line
    assert "device_key" in line


def test_who_holds_no_key_brings_nothing_into_the_log(caplog: pytest.LogCaptureFixture) -> None:
    assert Router(config(key_modes=["device"])).hello(shared(OTHER)) is Drop.MALFORMED
    assert refusals(caplog) == []


def test_a_rotation_keeps_the_sessions_of_the_epoch_before() -> None:
    router = Router(config(key_modes=["device"]))
    session = router.open(device())
    router.policy.configure(config(NEW, key_epoch=1, previous_psk=text(OLD), key_modes=["device"]))
    assert router.policy.select(FLOW, 0) is session
    assert router.engine.said == []
    newer = router.open(device(NEW, 1))
    assert router.policy.select(FLOW, 0) is newer
    # Until the endpoint's last packets through it have arrived.
    assert session.local_index in router.engine.sessions
    router.policy.configure(config(NEW, key_epoch=1, key_modes=["device"]))
    assert router.policy.select(FLOW, 0) is newer
    assert list(router.engine.sessions.values()) == [newer]
    assert router.engine.said == []


@pytest.mark.parametrize(
    "after",
    [
        config(NEW, key_epoch=1, key_modes=BOTH),
        config(NEW, key_modes=BOTH),
        config(OLD, key_epoch=1, key_modes=BOTH),
    ],
    ids=["epoch dropped", "another key of the same epoch", "another epoch of the same key"],
)
@pytest.mark.parametrize("static", [shared(), device()])
def test_sessions_of_a_key_that_is_gone_end_with_a_bye(
    after: RoutingServerConfig, static: StaticKey
) -> None:
    router = Router(config(key_modes=BOTH))
    session = router.open(static)
    pending = router.offered(static)
    router.policy.configure(after)
    assert router.engine.said == [(session, Type.BYE)]
    assert router.engine.sessions == {}
    assert router.policy.select(FLOW, 0) is None
    assert list(router.policy.table) == []
    assert router.policy.table.device(pending) is None


def test_a_mode_that_is_no_longer_allowed_ends_its_sessions_only() -> None:
    router = Router(config(key_modes=BOTH))
    session = router.open(device())
    router.policy.configure(config(key_modes=["device"]))
    assert router.policy.select(FLOW, 0) is session
    router.policy.configure(config(key_modes=["shared"]))
    assert router.engine.said == [(session, Type.BYE)]
    assert router.policy.select(FLOW, 0) is None


def test_what_an_endpoint_was_offered_with_the_new_key_outlives_the_old_one() -> None:
    router = Router(config(NEW, key_epoch=1, previous_psk=text(OLD), key_modes=["device"]))
    session = router.open(device(OLD, 0))
    offered = router.offered(device(NEW, 1))
    router.policy.configure(config(NEW, key_epoch=1, key_modes=["device"]))
    assert router.engine.said == [(session, Type.BYE)]
    assert list(router.engine.sessions.values()) == [offered]
    router.policy.confirmed(offered)
    assert router.policy.select(FLOW, 0) is offered


def test_a_reload_that_changes_no_key_keeps_everything() -> None:
    router = Router(config())
    session, pending = router.open(shared()), router.offered(shared())
    router.policy.configure(config(endpoint_networks=["10.0.0.0/8", "fd00::/8"]))
    assert router.policy.select(FLOW, 0) is session
    assert set(router.engine.sessions.values()) == {session, pending}
    assert router.engine.said == []
