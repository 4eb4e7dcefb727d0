"""An endpoint's machine, what it orders, and routers that answer it."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterable
from typing import Any

from nrs.endpoint.config import NetworkAccessEndpointConfig
from nrs.endpoint.events import SwitchLog
from nrs.endpoint.flows import FlowTable
from nrs.endpoint.machine import NOTHING_REVOKED, Machine
from nrs.endpoint.orders import Deliver, JoinTrains, Order, SendAgain, SendHello, UseRouter
from nrs.endpoint.tunnel import Tunnel
from nrs.identity.revoked_tunnels import RevokedTunnels
from nrs.tunnel import wire
from nrs.tunnel.control import Control
from nrs.tunnel.drop import Drop
from nrs.tunnel.handshake import Identity, Responder
from nrs.tunnel.orders import (
    CloseSession,
    LimitDatagrams,
    NoteSession,
    OpenSession,
    Refuse,
    SendControl,
    SendTogether,
    SendTrain,
    Tell,
)
from nrs.tunnel.record import Record
from nrs.tunnel.wire import Claim, KeyMode, ProbeAck, RouterFlag, Type

OLD = bytes(range(32))
CLAIM = Claim(
    "endpoint_1",
    ipaddress.IPv4Address("10.10.100.1"),
    ipaddress.IPv6Address("fd00:10:100::1"),
)
BOTH = frozenset(KeyMode)
WALL = 1_700_000_000.0


class Endpoint:
    """A machine at a time that passes when told to, and the routing servers at its other ends.

    Orders are checked as a shell would find them: a session that is ordered about is there.
    """

    def __init__(
        self,
        routers: tuple[str, ...] = ("r1",),
        *,
        now: float = 1000.0,
        kept: Iterable[tuple[Record, float]] = (),
        last_used: str | None = None,
        flows: FlowTable | None = None,
        revoked: RevokedTunnels = NOTHING_REVOKED,
        **tunnel: Any,
    ) -> None:
        self.now = now
        self.silent: set[str] = set()
        """Routers that answer no probe."""
        self.flags: dict[str, RouterFlag] = {}
        self.losses: dict[str, tuple[float, float]] = {}
        """Shares lost up and down, of paths that carry ten datagrams a probe each way."""
        self.delays: dict[str, float] = {}
        """Round trips in seconds, where they are not 0; what is heard was sent so long ago."""
        self._carried: dict[str, list[float]] = {}
        self.sessions: dict[int, OpenSession] = {}
        self.since: dict[int, float] = {}
        """What was noted last of each."""
        self._path_probes: list[SendControl] = []
        self.limits: dict[int, LimitDatagrams] = {}
        self.hellos: list[bytes] = []
        self.said: list[tuple[int, Type]] = []
        self.again: list[tuple[int, list[bytes]]] = []
        self.delivered: list[bytes] = []
        self.used: list[str] = []
        self.told: list[tuple[int, str]] = []
        self.quickened = 0
        self._sequence = 0
        self.machine = Machine(
            config(routers, **tunnel),
            now,
            switches=SwitchLog(),
            flows=FlowTable() if flows is None else flows,
            last_used=last_used,
            wall=lambda: WALL + self.now,
            random=os.urandom,
            quickened=self._quicken,
            revoked=revoked,
        )
        for router_id in routers:
            self.machine.handle_connected(router_id, 4, again=False)
        for record, since in kept:
            self.do(self.machine.handle_kept(record, since, now))
        self.serve()

    def _quicken(self) -> None:
        self.quickened += 1

    def do(self, orders: Iterable[Order]) -> Drop | None:
        """Take the orders down."""
        refused = None
        for order in orders:
            match order:
                case SendControl():
                    assert order.index in self.sessions
                    self.said.append((order.index, order.kind))
                    if order.kind is Type.PATH_PROBE:
                        self._path_probes.append(order)
                case SendTrain():
                    for datagram in order.datagrams:
                        self.said.append((datagram.index, datagram.kind))
                case SendTogether() | JoinTrains():
                    assert order.index in self.sessions
                case LimitDatagrams():
                    assert order.index in self.sessions
                    self.limits[order.index] = order
                case SendHello():
                    self.hellos.append(order.datagram)
                case OpenSession():
                    assert order.record.secrets.local_index not in self.sessions
                    self.sessions[order.record.secrets.local_index] = order
                case CloseSession():
                    del self.sessions[order.index]
                case NoteSession():
                    assert order.index in self.sessions
                    self.since[order.index] = order.since
                case SendAgain():
                    assert order.index in self.sessions
                    self.again.append((order.index, order.frames))
                case Deliver():
                    self.delivered.extend(order.packets)
                case UseRouter():
                    self.used.append(order.router_id)
                case Refuse():
                    refused = order.reason
                case Tell():
                    self.told.append((order.level, order.text))
        return refused

    def serve(self) -> None:
        """Do what is due."""
        self.do(self.machine.due(self.now))

    @property
    def tunnel(self) -> Tunnel:
        return self.machine.tunnels["r1"]

    @property
    def session(self) -> int:
        return self.session_of("r1")

    def session_of(self, router_id: str) -> int:
        index = self.machine.tunnels[router_id].index
        assert index in self.sessions
        return index

    def answer(
        self, masters: dict[int, bytes], router_id: str = "r1", hello: bytes | None = None
    ) -> Drop | None:
        """A router with these keys answers a HELLO, the newest. Raises HandshakeError."""
        router = Responder(identity(router_id), masters, BOTH)
        offer = router.check(hello or self.hellos[-1])
        datagram, _ = router.accept(offer, 99, RouterFlag(0), os.urandom)
        return self.handshake(Type.HELLO_ACK, datagram, router_id)

    def handshake(self, kind: Type, datagram: bytes, router_id: str = "r1") -> Drop | None:
        """A datagram of no session at a tunnel's socket."""
        return self.do(self.machine.handle_handshake(router_id, kind, datagram, 0, self.now))

    def hear(self, router_id: str, kind: Type = Type.PROBE_ACK, **ack: int) -> None:
        """A verified datagram of a router: by default its answer to the last probe."""
        tunnel = self.machine.tunnels[router_id]
        self._sequence += 1
        body = b""
        highest = received = 0
        if router_id in self.losses:
            carried = self._carried.setdefault(router_id, [0.0] * 4)
            up, down = self.losses[router_id]
            for at, more in enumerate((10, 10 * (1 - up), 10, 10 * (1 - down))):
                carried[at] += more
            ack = {"highest": int(carried[0]), "received": int(carried[1]), **ack}
            highest, received = int(carried[2]), int(carried[3])
        if kind is Type.PROBE_ACK:
            told = {"highest": 0, "received": 0, "path_probes": 0, **ack}
            told.setdefault("confirmed", told["highest"])
            sent = self.now - self.delays.get(router_id, 0.0)
            body = ProbeAck(int(sent * 1e6), **told).encode()
        flags = self.flags.get(router_id, RouterFlag(0))
        number = tunnel.liveness.probe_number
        control = Control(kind, flags, 0, self._sequence, number, body)
        index = self.session_of(router_id)
        self.do(self.machine.handle_control(index, control, highest, received, self.now))

    def _answer_path_probes(self, index: int) -> None:
        """Every path carries 1500 bytes."""
        probes, self._path_probes = self._path_probes, []
        for probe in probes:
            length = wire.OVERHEAD + len(probe.body)
            if probe.index == index and length <= 1500 - wire.HEADERS4:
                body = wire.encode_path_ack(length)
                control = Control(Type.PATH_ACK, 0, 0, 0, probe.specific, body)
                self.do(self.machine.handle_control(index, control, 0, 0, self.now))
            elif probe.index != index:
                self._path_probes.append(probe)

    def advise(self, router_id: str) -> None:
        """The load balancer prefers a router."""
        self.do(self.machine.handle_advice(router_id, self.now))

    def configure(self, to: NetworkAccessEndpointConfig) -> None:
        """A reload; tunnels that are new have their sockets at once."""
        self.do(self.machine.handle_config(to, self.now))
        for router_id, tunnel in self.machine.tunnels.items():
            if not tunnel.connected:
                self.machine.handle_connected(router_id, 4, again=False)
        self.serve()

    def wait(self, seconds: float, step: float = 0.5) -> None:
        """Time passes, with the machine served and every probe answered."""
        until = self.now + seconds
        while self.now < until:
            self.now = min(until, self.now + step)
            for router_id, tunnel in self.machine.tunnels.items():
                if tunnel.index and router_id not in self.silent:
                    self.hear(router_id)
                    self._answer_path_probes(tunnel.index)
            self.serve()


def identity(router_id: str) -> Identity:
    number = int(router_id[1:])
    return Identity(
        router_id,
        ipaddress.IPv4Address(f"10.10.{number}.1"),
        ipaddress.IPv6Address(f"fd00:10:{number}::1"),
    )


def config(routers: tuple[str, ...] = ("r1",), **tunnel: Any) -> NetworkAccessEndpointConfig:
    return NetworkAccessEndpointConfig.model_validate(
        {
            "endpoint": {"endpoint_id": "endpoint_1", "name": "one"},
            "tunnel": {"tun_ipv4": "10.10.100.1", "tun_ipv6": "fd00:10:100::1", **tunnel},
            "routers": [
                {"router_id": router_id, "external_ip": f"127.0.0.{router_id[1:]}"}
                for router_id in routers
            ],
            "load_balancer": {"url": "http://127.0.0.1:8080"},
        }
    )
