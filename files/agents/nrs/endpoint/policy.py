"""What an endpoint does with packets, probes and advice: two tunnels, one of them active."""

from __future__ import annotations

import logging
import time
from typing import Any

from nrs.endpoint.config import NetworkAccessEndpointConfig, Router
from nrs.endpoint.continuity import Continuity
from nrs.endpoint.events import Switch, SwitchLog, one_line
from nrs.endpoint.failover import Choice, Move, Standing, View, choose
from nrs.endpoint.flows import FlowTable
from nrs.endpoint.liveness import State, Timing
from nrs.endpoint.nudge import Nudger
from nrs.endpoint.tunnel import Tunnel
from nrs.system.addresses import Addresses
from nrs.tunnel import wire
from nrs.tunnel.engine import Control, Engine
from nrs.tunnel.drop import Drop
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
_NEVER = -1e9


class EndpointPolicy:
    """The tunnels of an endpoint and which of them is active."""

    def __init__(
        self,
        config: NetworkAccessEndpointConfig,
        loop: PacketLoop,
        addresses: Addresses,
        switches: SwitchLog | None = None,
        continuity: Continuity | None = None,
    ) -> None:
        self.engine: Engine
        self._continuity = continuity or Continuity()
        self.tunnels: dict[str, Tunnel] = {}
        self.active: str | None = None
        self.switches = switches if switches is not None else SwitchLog()
        self.active_since = time.time()
        self._advised: str | None = None
        self._fled_at: float | None = None
        self._unmeasured: tuple[Switch, float] | None = None
        self._loop = loop
        self._addresses = addresses
        self._timer: Timer | None = None
        self._timer_at = 0.0
        self._fast_until = 0.0
        self._next_connect = 0.0
        self._states: dict[str, State] = {}
        self._by_router_address: dict[bytes, Tunnel] = {}
        self._flows = FlowTable(memory=self._continuity.flows)
        self._config = config

    def start(self, engine: Engine) -> None:
        """Serve `engine`: build the tunnels of the configuration, or go on with them."""
        self.engine = engine
        self._nudger = Nudger(self._loop, engine.tun.deliver)
        self._build(self._config)
        self._connect()
        self._resume()
        self._service()

    def _resume(self) -> None:
        """Go on where an earlier process has ended."""
        now = self._loop.clock()
        memory = self.engine.memory
        found = sorted(memory or (), key=lambda entry: entry[1].created)
        for slot, record in found:
            tunnel = self.tunnels.get(record.owner)
            if tunnel is None or not tunnel.resume(slot, record, self.engine, now):
                slot.release()
            else:
                self._states[record.owner] = tunnel.liveness.state
        if found:
            log.info(
                "%d of %d sessions of an earlier run go on", len(self.engine.sessions), len(found)
            )
        active = self._continuity.active
        if active in self.tunnels and self.tunnels[active].session is not None:
            self.active = active
        if self._continuity.flows is not None:
            self._continuity.flows.replay(self._flows, self.tunnels, now)

    def configure(self, config: NetworkAccessEndpointConfig) -> None:
        """Take over a configuration; a tunnel whose router entry is unchanged stays up.

        With another key it stays up too: a session of the new key replaces the present one.
        """
        self._build(config)
        self._next_connect = 0.0
        self._service()

    def _build(self, config: NetworkAccessEndpointConfig) -> None:
        before, self._config = self._config, config
        moved = before.tunnel.port != config.tunnel.port
        static = _static_key(config)
        rekeyed = static != _static_key(before)
        wanted = {router.router_id: router for router in config.routers}
        for router_id, tunnel in list(self.tunnels.items()):
            if moved or wanted.get(router_id) != tunnel.router:
                tunnel.close(self.engine)
                self._release(router_id)
                del self.tunnels[router_id]
        for router in config.routers:
            if router.router_id in self.tunnels:
                self.tunnels[router.router_id].liveness.retime(self._timing())
                if rekeyed:
                    self.tunnels[router.router_id].rekey(static)
            else:
                self.tunnels[router.router_id] = self._tunnel(router)
        if self.active not in self.tunnels:
            self.active = self._fled_at = None

    def _tunnel(self, router: Router) -> Tunnel:
        tunnel = self._config.tunnel
        return Tunnel(
            router,
            tunnel.port,
            _static_key(self._config),
            Claim(self._config.endpoint.endpoint_id, tunnel.tun_ipv4.ip, tunnel.tun_ipv6.ip),
            self._timing(),
            self._continuity.store,
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
        if self._unmeasured is not None:
            self._measure(session)

    def handshake(
        self,
        kind: Type,
        datagram: bytes,
        socket: UdpSocket,
        peer: tuple[Any, ...],
        local: bytes | None,
    ) -> Drop | None:
        tunnel = next((t for t in self.tunnels.values() if t.uses(socket)), None)
        if tunnel is None:
            return Drop.NO_SESSION
        if kind is Type.NO_SESSION:
            return tunnel.no_session(datagram, self.engine, self._loop.now)
        if kind is not Type.HELLO_ACK:
            return Drop.MALFORMED
        result = tunnel.hello_ack(datagram, self.engine, tunnel.router_id == self.active)
        if result is None:
            self._service()
        return result

    def unknown(
        self, datagram: bytes, socket: UdpSocket, peer: tuple[Any, ...], local: bytes | None
    ) -> None:
        """Nothing to do: a router whose endpoint knows no session gets HELLOs already."""

    def confirmed(self, session: Session) -> None:
        """The endpoint's sessions are current from the handshake on."""

    def control(self, session: Session, control: Control) -> None:
        tunnel = next((t for t in self.tunnels.values() if t.holds(session)), None)
        if tunnel is None:
            return
        before = tunnel.liveness.state, tunnel.flags
        tunnel.control(session, control, self.engine)
        if self._unmeasured is not None:
            self._measure(session)
        if (tunnel.liveness.state, tunnel.flags) != before or self._fled_at is not None:
            self._service()

    # -- timers

    def tend(self) -> None:
        """Call once a second."""
        self._flows.sweep(self._loop.now)

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
            self._connect()
        self._drive(now)
        self._note_states()
        if self._decide(now):
            self._drive(now)
        in_doubt = self._in_doubt()
        times = [t.liveness.next_due(self._busy(t, now, in_doubt)) for t in self.tunnels.values()]
        self._arm(max(now + 0.001, min([*times, now + _RECONNECT_S])))

    def _connect(self) -> None:
        self._next_connect = self._loop.clock() + _RECONNECT_S
        for tunnel in self.tunnels.values():
            tunnel.connect(self.engine, self._addresses)

    def _drive(self, now: float) -> None:
        """Send what is due on each tunnel."""
        in_doubt = self._in_doubt()
        for tunnel in self.tunnels.values():
            for action in tunnel.liveness.due(now, self._busy(tunnel, now, in_doubt)):
                tunnel.perform(action, self.engine, tunnel.router_id == self.active)
            tunnel.renew(self.engine, now)
            tunnel.note(now)

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
        """Whether the active tunnel is not known to answer: all are probed while traffic flows."""
        active = self.tunnels.get(self.active) if self.active is not None else None
        return active is not None and (
            active.liveness.state is not State.UP or self._fled_at is not None
        )

    def _busy(self, tunnel: Tunnel, now: float, in_doubt: bool) -> bool:
        session = tunnel.session
        if session is None or now >= self._fast_until:
            return False
        if in_doubt or tunnel.in_question:
            return True
        return now - max(session.last_data_sent, session.last_data_received) < BUSY_S

    def _note_states(self) -> None:
        for router_id, tunnel in self.tunnels.items():
            state = tunnel.liveness.state
            if self._states.get(router_id) is not state:
                if self._states.get(router_id) is not None or state is not State.CONNECTING:
                    log.info("tunnel to %s is %s", router_id, state.value)
                self._states[router_id] = state
                tunnel.enter(time.time())
        self._states = {r: s for r, s in self._states.items() if r in self.tunnels}
        self._by_router_address = {
            address: tunnel
            for tunnel in self.tunnels.values()
            for address in tunnel.router_addresses
        }

    def _decide(self, now: float) -> bool:
        """Move traffic if that is called for; whether it was."""
        views = {router_id: tunnel.view(now) for router_id, tunnel in self.tunnels.items()}
        present = views[self.active] if self.active is not None else None
        if present and self._fled_at is not None and present.answered > self._fled_at:
            self._fled_at = None
        choice = choose(
            list(views.values()), self.active, self._advised, now, fled_at=self._fled_at
        )
        before = self.active
        if choice is not None:
            # Kept before it is told: who has seen it may rely on it.
            self._continuity.active = choice.router_id
            self.active = choice.router_id
            self.active_since = time.time()
            self._fled_at = now if choice.move is Move.FAILURE else None
        failed = before if choice is not None and choice.move is Move.FAILURE else None
        flows, resent = self._leave(views, now, failed)
        if choice is None:
            return False
        self._note_switch(choice, before, views, now, flows, resent)
        self.tunnels[choice.router_id].liveness.probe_now()
        for tunnel in self.tunnels.values():
            if tunnel.session is not None:
                flags = wire.ACTIVE if tunnel.router_id == self.active else 0
                self.engine.send_control(tunnel.session, Type.ROLE, flags=flags)
        return True

    def _leave(self, views: dict[str, View], now: float, failed: str | None) -> tuple[int, int]:
        """Flows and unacknowledged packets leave the tunnels that are of no use; how many.

        `failed` is the one that traffic has just fled from, whatever else is known of it.
        """
        flows = resent = 0
        session = self.tunnels[self.active].session if self.active is not None else None
        if session is None or self.active is None:
            return 0, 0
        present = views[self.active].standing(now)
        for router_id, tunnel in self.tunnels.items():
            standing = views[router_id].standing(now)
            if router_id == self.active:
                continue
            if router_id == failed or standing >= Standing.USELESS > present:
                flows += self._release(router_id)
                frames = tunnel.unconfirmed(now)
                if frames:
                    resent += len(frames)
                    self.engine.send_again(session, frames)
            elif standing is Standing.DEGRADED > present:
                flows += self._release(router_id, but_tcp=True)
        return flows, resent

    def _release(self, router_id: str, *, but_tcp: bool = False) -> int:
        if not self._flows.count(router_id):
            return 0
        released = self._flows.release(router_id, but_tcp=but_tcp)
        self._nudger.add(released)
        return len(released)

    def _note_switch(
        self,
        choice: Choice,
        before: str | None,
        views: dict[str, View],
        now: float,
        flows: int,
        resent: int,
    ) -> None:
        switch = self.switches.add(
            when=time.time(),
            before=before,
            after=choice.router_id,
            cause=choice.cause,
            evidence=[t.evidence(views[r], now) for r, t in self.tunnels.items()],
            rejected=choice.rejected,
            resent=resent,
            flows_moved=flows,
        )
        log.info("traffic moves: %s", one_line(switch))
        if before is None:
            return
        if choice.move is Move.FAILURE:
            old = self.tunnels[before].session
            heard = old.last_data_received if old is not None else _NEVER
            if views[before].standing(now) is not Standing.USELESS:
                heard = max(heard, views[before].answered)
            elif now - heard > BUSY_S:
                heard = now  # there was nothing to interrupt before the router said so
            self._unmeasured = switch, heard
        else:
            # Flows stay and both tunnels live: nothing was interrupted.
            self.switches.measured(switch.number, 0.0)

    def _measure(self, session: Session) -> None:
        """The first sign of life through the tunnel that traffic has fled to ends the gap."""
        if self._unmeasured is None:
            return
        switch, heard = self._unmeasured
        tunnel = self.tunnels.get(switch.after)
        if tunnel is None or session is tunnel.session:
            self._unmeasured = None
        if tunnel is not None and session is tunnel.session:
            gap_ms = round((self._loop.clock() - heard) * 1000, 1)
            self.switches.measured(switch.number, gap_ms)
            log.info("traffic is back after %.1f ms (switch %d)", gap_ms, switch.number)

    def close(self) -> None:
        """Say BYE on every tunnel."""
        if self._timer is not None:
            self._timer.cancel()
        self._nudger.close()
        for tunnel in self.tunnels.values():
            tunnel.close(self.engine)


def _static_key(config: NetworkAccessEndpointConfig) -> StaticKey:
    tunnel = config.tunnel
    mode = KeyMode.DEVICE if tunnel.has_device_key else KeyMode.SHARED
    return StaticKey(tunnel.key, mode, tunnel.key_epoch)
