"""A router's machine, and what endpoints do to it."""

from __future__ import annotations

import base64
import ipaddress
import os
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from nrs.config.types import IPNetwork
from nrs.router.config import RoutingServerConfig
from nrs.router.machine import RouterMachine
from nrs.router.orders import AddRoutes, Answer, AskHolders, Order, RemoveRoutes
from nrs.system.route import network_of
from nrs.tunnel import keys
from nrs.tunnel.control import Control
from nrs.tunnel.drop import Drop
from nrs.tunnel.handshake import Initiator, Random, SessionSecrets, StaticKey
from nrs.tunnel.orders import (
    CloseSession,
    DoubtPath,
    DropCandidate,
    LimitDatagrams,
    NoteSession,
    OpenSession,
    Refuse,
    SendControl,
    SendTogether,
    SendTrain,
    TakeCandidate,
    Tell,
)
from nrs.tunnel.wire import NONCE_BYTES, Claim, KeyMode, Type

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
    addresses = {
        "tun_ipv4": "10.10.1.1/16",
        "tun_ipv6": "fd00:10:1::1/32",
        "endpoint_networks": ["10.0.0.0/8", "fd00::/8"],
    }
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
    peer: tuple[Any, ...] | None = None
    last_data_received: float = -1e9
    last_data_sent: float = -1e9
    created: float = 0.0


def believed(machine: RouterMachine, claim: Claim, stamp: int = 0) -> None:
    """A HELLO of this claim came before."""
    machine._freshness.believe(claim, stamp, bytes(NONCE_BYTES))


class Router:
    """Keeps what the machine orders."""

    def __init__(
        self, first: RoutingServerConfig | None = None, random: Random = os.urandom
    ) -> None:
        self.machine = RouterMachine(first or config(), random, retry_secret=bytes(32))
        self.now = 1000.0
        self.stamp = 0
        self.sessions: dict[int, Heard] = {}
        self.opened: list[OpenSession] = []
        self.answers: list[bytes] = []
        self.said: list[SendControl] = []
        self.limits: dict[int, LimitDatagrams] = {}
        self.noted: list[NoteSession] = []
        self.routes: set[IPNetwork] = set()
        self.told: list[Tell] = []
        self.others: list[Order] = []
        self.ask_at: list[float] = []
        self._peers = iter(range(1, 1000))
        self._held: dict[Claim, SessionSecrets] = {}
        """The sessions that endpoints have opened last."""
        self._from: tuple[Any, ...] | None = None

    def take(self, orders: Iterable[Order]) -> Drop | None:
        """Do as ordered; why the datagram is dropped, if it is."""
        refused = None
        for order in orders:
            match order:
                case OpenSession(record):
                    assert record.secrets.local_index not in self.sessions
                    self.sessions[record.secrets.local_index] = Heard(
                        self.now, self._from, created=self.now
                    )
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
                case (
                    SendTogether(index)
                    | TakeCandidate(index)
                    | DropCandidate(index)
                    | DoubtPath(index)
                ):
                    assert index in self.sessions
                    self.others.append(order)
                case SendTrain(datagrams):
                    assert {one.index for one in datagrams} <= set(self.sessions)
                    self.others.append(order)
                case Answer(datagram):
                    self.answers.append(datagram)
                case AddRoutes(prefixes):
                    self.routes |= set(map(network_of, prefixes))
                case RemoveRoutes(prefixes):
                    self.routes -= set(map(network_of, prefixes))
                case AskHolders(when):
                    self.ask_at.append(when)
                case Refuse(reason):
                    refused = reason
                case Tell():
                    self.told.append(order)
                case _:
                    self.others.append(order)
        return refused

    def hello(
        self, static: StaticKey, claim: Claim = CLAIM, *, stranger: bool = False
    ) -> Drop | None:
        """A HELLO from an address of its own; a `stranger` has not the session before."""
        present = None if stranger else self._held.get(claim)
        source = peer(next(self._peers))
        self.stamp += 1
        self._initiator = Initiator(static, claim, 7, os.urandom, self.stamp, present)
        retries = self.machine.retries
        refused = self.hear_hello(self._initiator.hello(), source)
        if self.machine.retries == retries:
            return refused
        self.stamp += 1
        self._initiator = self._initiator.again(self.answers.pop(), self.stamp, os.urandom)
        return self.hear_hello(self._initiator.hello(), source)

    def hear_hello(self, datagram: bytes, source: tuple[Any, ...]) -> Drop | None:
        self._from = source
        return self.take(self.machine.handle_hello(datagram, source, self.now, self.sessions))

    def offered(self, static: StaticKey, claim: Claim = CLAIM, *, stranger: bool = False) -> int:
        """A session that the endpoint has not used yet."""
        assert self.hello(static, claim, stranger=stranger) is None
        return self.opened[-1].record.secrets.local_index

    def confirm(self, index: int) -> None:
        """Its first authentic datagram."""
        session = self.sessions[index]
        where = session.peer or peer(1)
        session.last_received = self.now
        self.take(self.machine.handle_confirmed(index, where, self.now, WALL))

    def open(self, static: StaticKey, claim: Claim = CLAIM, *, stranger: bool = False) -> int:
        index = self.offered(static, claim, stranger=stranger)
        self._held[claim] = self._initiator.finish(self.answers[-1])[1]
        self.confirm(index)
        return index

    def pass_time(self, seconds: float) -> None:
        """The clock goes on, and who is asked is asked again when that is due."""
        until = self.now + seconds
        while self.ask_at and min(self.ask_at) <= until:
            self.now = max(self.now, min(self.ask_at))
            self.ask_at.remove(min(self.ask_at))
            self.take(self.machine.ask_holders(self.now))
        self.now = until

    def control(
        self,
        index: int,
        kind: Type,
        sequence: int = 1,
        *,
        flags: int = 0,
        body: bytes = b"",
        highest: int = 0,
        specific: int = 0,
        port: int = 51820,
    ) -> None:
        """A control datagram of the endpoint's."""
        if index in self.sessions:
            self.sessions[index].last_received = self.now
        control = Control(kind, flags, 0, sequence, specific, body)
        self.take(self.machine.handle_control(index, control, highest, highest, port, self.now))

    def asked(self, index: int) -> list[int]:
        """The questions to a session whether it is in use."""
        return [o.specific for o in self.said if o.kind is Type.PROBE and o.index == index]

    def answer(self, index: int) -> None:
        """The endpoint answers the newest of these."""
        self.control(index, Type.PROBE_ACK, specific=self.asked(index)[-1])

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
