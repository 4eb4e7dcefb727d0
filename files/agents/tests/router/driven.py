"""A router's machine, and what endpoints do to it."""

from __future__ import annotations

import base64
import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nrs.router.config import RoutingServerConfig
from nrs.router.machine import RouterMachine
from nrs.router.orders import AddRoutes, Answer, Order, RemoveRoutes
from nrs.tunnel import keys
from nrs.tunnel.control import Control
from nrs.tunnel.drop import Drop
from nrs.tunnel.handshake import Initiator, Random, StaticKey
from nrs.tunnel.orders import (
    CloseSession,
    LimitDatagrams,
    NoteSession,
    OpenSession,
    Refuse,
    SendControl,
    Tell,
)
from nrs.tunnel.wire import Claim, KeyMode, Type

OLD, NEW, OTHER = bytes(range(32)), bytes(range(50, 82)), bytes(range(100, 132))
CLAIM = Claim(
    "endpoint_1",
    ipaddress.IPv4Address("10.10.100.1"),
    ipaddress.IPv6Address("fd00:10:100::1"),
)
ELSEWHERE = Claim(
    "endpoint_2",
    ipaddress.IPv4Address("10.20.0.2"),
    ipaddress.IPv6Address("fd00:20::2"),
)
"""Outside of the networks of the router's TUN device."""
FLOW = b"\x11" + bytes((198, 51, 100, 10)) + CLAIM.tun_ipv4.packed + bytes(4)
"""UDP from the business server to the endpoint."""
WALL = 1_700_000_000.0


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


def peer(number: int) -> tuple[Any, ...]:
    """A source of its own."""
    return (f"2001:db8:{number:x}::1", 5, 0, 0)


@dataclass
class Heard:
    """What the packet path notes of a session."""

    last_received: float
    last_data_received: float = -1e9
    last_data_sent: float = -1e9


class Router:
    """Keeps what the machine orders."""

    def __init__(
        self, first: RoutingServerConfig | None = None, random: Random = os.urandom
    ) -> None:
        self.machine = RouterMachine(first or config(), random)
        self.now = 1000.0
        self.sessions: dict[int, Heard] = {}
        self.opened: list[OpenSession] = []
        self.answers: list[bytes] = []
        self.said: list[SendControl] = []
        self.limits: dict[int, LimitDatagrams] = {}
        self.noted: list[NoteSession] = []
        self.routes: set[bytes] = set()
        self.told: list[Tell] = []
        self.others: list[Order] = []
        self._peers = iter(range(1, 1000))

    def take(self, orders: Iterable[Order]) -> Drop | None:
        """Do as ordered; why the datagram is dropped, if it is."""
        refused = None
        for order in orders:
            match order:
                case OpenSession(record):
                    assert record.secrets.local_index not in self.sessions
                    self.sessions[record.secrets.local_index] = Heard(self.now)
                    self.opened.append(order)
                case CloseSession(index):
                    del self.sessions[index]
                case SendControl(index):
                    assert index in self.sessions, "said after the session was forgotten"
                    self.said.append(order)
                case LimitDatagrams(index):
                    assert index in self.sessions
                    self.limits[index] = order
                case NoteSession(index):
                    assert index in self.sessions
                    self.noted.append(order)
                case Answer(datagram):
                    self.answers.append(datagram)
                case AddRoutes(addresses):
                    self.routes |= set(addresses)
                case RemoveRoutes(addresses):
                    self.routes -= set(addresses)
                case Refuse(reason):
                    refused = reason
                case Tell():
                    self.told.append(order)
                case _:
                    self.others.append(order)
        return refused

    def hello(self, static: StaticKey, claim: Claim = CLAIM) -> Drop | None:
        datagram = Initiator(static, claim, 7, os.urandom).hello()
        return self.take(self.machine.handle_hello(datagram, peer(next(self._peers)), self.now))

    def offered(self, static: StaticKey, claim: Claim = CLAIM) -> int:
        """A session that the endpoint has not used yet."""
        assert self.hello(static, claim) is None
        return self.opened[-1].record.secrets.local_index

    def confirm(self, index: int) -> None:
        """Its first authentic datagram."""
        self.take(self.machine.handle_confirmed(index, peer(1), self.now, WALL))

    def open(self, static: StaticKey, claim: Claim = CLAIM) -> int:
        index = self.offered(static, claim)
        self.confirm(index)
        return index

    def control(
        self,
        index: int,
        kind: Type,
        sequence: int = 1,
        *,
        flags: int = 0,
        body: bytes = b"",
        highest: int = 0,
    ) -> None:
        """A control datagram of the endpoint's."""
        control = Control(kind, flags, 0, sequence, 0, body)
        self.take(self.machine.handle_control(index, control, highest, highest))

    def reconfigure(self, after: RoutingServerConfig) -> None:
        """A reload."""
        self.take(self.machine.handle_config(after))

    def selected(self) -> int:
        """The session for packets to CLAIM."""
        return self.machine.select(FLOW, 0, self.now)

    @property
    def byes(self) -> list[int]:
        """Whom it has said BYE."""
        return [order.index for order in self.said if order.kind is Type.BYE]
