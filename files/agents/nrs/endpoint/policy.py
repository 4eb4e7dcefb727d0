"""What an endpoint does with packets, probes and advice: two tunnels, one of them active."""

from __future__ import annotations

import logging
import time
from typing import Any

from nrs.endpoint.config import NetworkAccessEndpointConfig, Router
from nrs.endpoint.failover import View, choose
from nrs.endpoint.flows import FlowTable
from nrs.endpoint.liveness import State, Timing
from nrs.endpoint.tunnel import Tunnel
from nrs.system.links import Links
from nrs.tunnel import wire
from nrs.tunnel.engine import Control, Engine
from nrs.tunnel.figures import Drop
from nrs.tunnel.handshake import StaticKey
from nrs.tunnel.inner import flow_destination
from nrs.tunnel.loop import PacketLoop, Timer
from nrs.tunnel.session import Session
from nrs.tunnel.udp_socket import UdpSocket
from nrs.tunnel.wire import Claim, KeyMode, Type

log = logging.getLogger(__name__)

BUSY_S = 1.0
"""A tunnel is busy for this long after its last packet, either way."""
_RECONNECT_S = 1.0


class EndpointPolicy:
    """The tunnels of an endpoint and which of them is active."""

    def __init__(self, config: NetworkAccessEndpointConfig, loop: PacketLoop, links: Links) -> None:
        self.engine: Engine
        self.tunnels: dict[str, Tunnel] = {}
        self.active: str | None = None
        self.active_since = time.time()
        self._advised: str | None = None
        self._loop = loop
        self._links = links
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._fast_until = 0.0
        self._next_connect = 0.0
        self._states: dict[str, State] = {}
        self._by_router_address: dict[bytes, Tunnel] = {}
        self._flows = FlowTable()
        self._config = config

    def start(self, engine: Engine) -> None:
        """Serve `engine`: build the tunnels of the configuration."""
        self.engine = engine
        self.configure(self._config)

    def configure(self, config: NetworkAccessEndpointConfig) -> None:
        """Take over a configuration; a tunnel whose router entry is unchanged stays up.

        With another key it stays up too: a session of the new key replaces the present one.
        """
        before, self._config = self._config, config
        moved = before.tunnel.port != config.tunnel.port
        static = _static_key(config)
        rekeyed = static != _static_key(before)
        wanted = {router.router_id: router for router in config.routers}
        for router_id, tunnel in list(self.tunnels.items()):
            if moved or wanted.get(router_id) != tunnel.router:
                tunnel.close(self.engine)
                self._flows.release(router_id)
                del self.tunnels[router_id]
        for router in config.routers:
            if router.router_id in self.tunnels:
                self.tunnels[router.router_id].liveness.retime(self._timing())
                if rekeyed:
                    self.tunnels[router.router_id].rekey(static)
            else:
                self.tunnels[router.router_id] = self._tunnel(router)
        if self.active not in self.tunnels:
            self.active = None
        self._next_connect = 0.0
        self._service()

    def _tunnel(self, router: Router) -> Tunnel:
        tunnel = self._config.tunnel
        return Tunnel(
            router,
            tunnel.port,
            _static_key(self._config),
            Claim(self._config.endpoint.endpoint_id, tunnel.tun_ipv4.ip, tunnel.tun_ipv6.ip),
            self._timing(),
        )

    def _timing(self) -> Timing:
        keepalive = self._config.tunnel.keepalive_interval
        return Timing(keepalive=keepalive, dead=3 * keepalive)

    def advise(self, router_id: str) -> None:
        """The load balancer's optimal router."""
        self._advised = router_id
        self._service()

    # -- Policy

    def select(self, flow: bytes, tcp_flags: int) -> Session | None:
        tunnel = self._by_router_address.get(flow_destination(flow))
        if tunnel is None:
            if self.active is None:
                return None
            tunnel = self.tunnels[self._flows.tunnel(flow, tcp_flags, self._loop.now, self.active)]
        self._quicken()
        return tunnel.session

    def delivered(self, session: Session) -> None:
        self._quicken()

    def handshake(
        self,
        kind: Type,
        datagram: bytes,
        socket: UdpSocket,
        peer: tuple[Any, ...],
        local: bytes | None,
    ) -> Drop | None:
        if kind is not Type.HELLO_ACK:
            return Drop.MALFORMED
        tunnel = next((t for t in self.tunnels.values() if t.uses(socket)), None)
        if tunnel is None:
            return Drop.NO_SESSION
        result = tunnel.hello_ack(datagram, self.engine, tunnel.router_id == self.active)
        if result is None:
            self._service()
        return result

    def confirmed(self, session: Session) -> None:
        """The endpoint's sessions are current from the handshake on."""

    def control(self, session: Session, control: Control) -> None:
        tunnel = next((t for t in self.tunnels.values() if t.holds(session)), None)
        if tunnel is None:
            return
        before = tunnel.liveness.state
        tunnel.control(session, control, self.engine)
        if tunnel.liveness.state is not before:
            self._service()

    # -- timers

    def _quicken(self) -> None:
        """Traffic flows: probe often from now on, beginning at once."""
        now = self._loop.now
        idle = now >= self._fast_until
        self._fast_until = now + BUSY_S
        if idle:
            self._arm(now)

    def _service(self) -> None:
        """Send what is due, decide, and come back when something is due next."""
        now = self._loop.clock()
        if now >= self._next_connect:
            self._next_connect = now + _RECONNECT_S
            for tunnel in self.tunnels.values():
                tunnel.connect(self.engine, self._links)
        in_doubt = self._in_doubt()
        for tunnel in self.tunnels.values():
            for action in tunnel.liveness.due(now, self._busy(tunnel, now, in_doubt)):
                tunnel.perform(action, self.engine, tunnel.router_id == self.active)
            tunnel.renew(self.engine, now)
        self._note_states()
        self._decide(now)
        self._release_flows()
        in_doubt = self._in_doubt()
        times = [t.liveness.next_due(self._busy(t, now, in_doubt)) for t in self.tunnels.values()]
        self._arm(max(now + 0.001, min([*times, now + _RECONNECT_S])))

    def _arm(self, when: float) -> None:
        if self._timer is not None:
            if self._timer.callback is not None and self._timer_at <= when:
                return
            self._timer.cancel()
        self._timer_at = when
        self._timer = self._loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._service()

    def _in_doubt(self) -> bool:
        """Whether traffic flows and the active tunnel does not answer: all are probed then."""
        active = self.tunnels.get(self.active) if self.active is not None else None
        return active is not None and active.liveness.state is not State.UP

    def _busy(self, tunnel: Tunnel, now: float, in_doubt: bool) -> bool:
        session = tunnel.session
        if session is None or now >= self._fast_until:
            return False
        if in_doubt:
            return True
        return now - max(session.last_data_sent, session.last_data_received) < BUSY_S

    def _note_states(self) -> None:
        for router_id, tunnel in self.tunnels.items():
            state = tunnel.liveness.state
            if self._states.get(router_id) is not state:
                if self._states.get(router_id) is not None or state is not State.CONNECTING:
                    log.info("tunnel to %s is %s", router_id, state.value)
                self._states[router_id] = state
                tunnel.state_since = time.time()
        self._states = {r: s for r, s in self._states.items() if r in self.tunnels}
        self._by_router_address = {
            address: tunnel
            for tunnel in self.tunnels.values()
            for address in tunnel.router_addresses
        }

    def _decide(self, now: float) -> None:
        views = [
            View(
                router_id=tunnel.router_id,
                state=tunnel.liveness.state,
                since=tunnel.liveness.since,
                failures=tunnel.liveness.failures,
                srtt=tunnel.liveness.srtt,
            )
            for tunnel in self.tunnels.values()
        ]
        choice = choose(views, self.active, self._advised, now)
        if choice is None:
            return
        log.info(
            "traffic moves from %s to %s: %s", self.active or "none", choice.router_id, choice.cause
        )
        self.active = choice.router_id
        self.active_since = time.time()
        for tunnel in self.tunnels.values():
            if tunnel.session is not None:
                flags = wire.ACTIVE if tunnel.router_id == self.active else 0
                self.engine.send_control(tunnel.session, Type.ROLE, flags=flags)

    def _release_flows(self) -> None:
        """Flows leave a tunnel that has failed, as soon as there is a better one."""
        if self.active is None or self.tunnels[self.active].liveness.state is not State.UP:
            return
        for router_id, tunnel in self.tunnels.items():
            if tunnel.liveness.state is not State.UP and self._flows.count(router_id):
                log.info("%d flows leave %s", self._flows.release(router_id), router_id)

    def close(self) -> None:
        """Say BYE on every tunnel."""
        if self._timer is not None:
            self._timer.cancel()
        for tunnel in self.tunnels.values():
            tunnel.close(self.engine)


def _static_key(config: NetworkAccessEndpointConfig) -> StaticKey:
    tunnel = config.tunnel
    mode = KeyMode.DEVICE if tunnel.has_device_key else KeyMode.SHARED
    return StaticKey(tunnel.key, mode, tunnel.key_epoch)
