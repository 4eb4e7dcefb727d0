"""An endpoint's policy with fakes around it: time, an engine, and routers that answer."""

from __future__ import annotations

import ipaddress
import os
from types import SimpleNamespace
from typing import Any

from nrs.endpoint.config import NetworkAccessEndpointConfig
from nrs.endpoint.continuity import Continuity
from nrs.endpoint.policy import EndpointPolicy
from nrs.endpoint.tunnel import Tunnel
from nrs.system.addresses import Addresses
from nrs.tunnel import codec
from nrs.tunnel.engine import Control
from nrs.tunnel.drop import Drop
from nrs.tunnel.handshake import Identity, Responder
from nrs.tunnel.session import Session
from nrs.tunnel.session_memory import SessionMemory
from nrs.tunnel.wire import Claim, KeyMode, ProbeAck, RouterFlag, Type

OLD = bytes(range(32))
CLAIM = Claim(
    "endpoint_1",
    ipaddress.IPv4Address("10.10.100.1"),
    ipaddress.IPv6Address("fd00:10:100::1"),
)
BOTH = frozenset(KeyMode)


class Loop:
    """Time that passes when told to; timers are left to the test."""

    def __init__(self) -> None:
        self.now = 1000.0

    def clock(self) -> float:
        return self.now

    def call_at(self, _when: float, callback: Any) -> Any:
        return SimpleNamespace(callback=callback, cancel=lambda: None)


class Engine:
    """Keeps what it is given to send."""

    def __init__(self, memory: SessionMemory | None = None) -> None:
        self.codec = codec.load()
        self.memory = memory
        self.sessions: dict[int, Session] = {}
        self.hellos: list[bytes] = []
        self.said: list[tuple[Session, Type]] = []
        self.again: list[tuple[Session, list[bytes]]] = []
        self.delivered: list[bytes] = []
        """What the policy itself has handed to the host."""
        self.tun = SimpleNamespace(deliver=self.delivered.append)

    def add_socket(self, _socket: Any) -> None: ...

    def remove_socket(self, _socket: Any) -> None: ...

    def add_session(self, session: Session) -> None:
        self.sessions[session.local_index] = session

    def remove_session(self, session: Session) -> None:
        self.sessions.pop(session.local_index, None)
        session.forget()

    def send_raw(self, _socket: Any, datagram: bytes, *_: Any) -> None:
        self.hellos.append(datagram)

    def send_control(self, session: Session, kind: Type, *_: Any, **__: Any) -> None:
        self.said.append((session, kind))

    def send_again(self, session: Session, frames: list[bytes]) -> None:
        self.again.append((session, frames))


class Endpoint:
    """A policy with its tunnels, and the routing servers at their other ends."""

    def __init__(
        self,
        loop: Loop,
        routers: tuple[str, ...] = ("r1",),
        *,
        memory: SessionMemory | None = None,
        continuity: Continuity | None = None,
        **tunnel: Any,
    ) -> None:
        self.loop = loop
        self.engine = Engine(memory)
        self.silent: set[str] = set()
        """Routers that answer no probe."""
        self.flags: dict[str, RouterFlag] = {}
        self._sequence = 0
        self.policy = EndpointPolicy(
            config(routers, **tunnel),
            loop,  # type: ignore[arg-type]
            Addresses(),
            continuity=continuity,
        )
        self.policy.start(self.engine)  # type: ignore[arg-type]

    @property
    def tunnel(self) -> Tunnel:
        return self.policy.tunnels["r1"]

    @property
    def session(self) -> Session:
        return self.session_of("r1")

    def session_of(self, router_id: str) -> Session:
        session = self.policy.tunnels[router_id].session
        assert session is not None
        return session

    def answer(
        self, masters: dict[int, bytes], router_id: str = "r1", hello: bytes | None = None
    ) -> Drop | None:
        """A router with these keys answers a HELLO, the newest. Raises HandshakeError."""
        router = Responder(identity(router_id), masters, BOTH)
        offer = router.check(hello or self.engine.hellos[-1])
        datagram, _ = router.accept(offer, 99, RouterFlag(0), os.urandom)
        socket: Any = self.policy.tunnels[router_id]._socket
        return self.policy.handshake(Type.HELLO_ACK, datagram, socket, (), None)

    def hear(self, router_id: str, kind: Type = Type.PROBE_ACK, **ack: int) -> None:
        """A verified datagram of a router: by default its answer to the last probe."""
        tunnel = self.policy.tunnels[router_id]
        self._sequence += 1
        body = b""
        if kind is Type.PROBE_ACK:
            told = {"highest": 0, "received": 0, **ack}
            told.setdefault("confirmed", told["highest"])
            body = ProbeAck(int(self.loop.now * 1e6), **told).encode()
        flags = self.flags.get(router_id, RouterFlag(0))
        number = tunnel.liveness.probe_number
        self.policy.control(
            self.session_of(router_id), Control(kind, flags, 0, self._sequence, number, body)
        )

    def wait(self, seconds: float, step: float = 0.5) -> None:
        """Time passes, with the policy served and every probe answered."""
        until = self.loop.now + seconds
        while self.loop.now < until:
            self.loop.now = min(until, self.loop.now + step)
            for router_id, tunnel in self.policy.tunnels.items():
                if tunnel.session is not None and router_id not in self.silent:
                    self.hear(router_id)
            self.policy._service()


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
