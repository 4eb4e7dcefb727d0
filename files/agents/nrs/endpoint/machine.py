"""What an endpoint does: its tunnels, and which of them carries the traffic. Pure.

    handle_*(event, now) -> orders      what has happened
    due(now) -> orders                  what the time brings; next_due(now) says when again
    select, delivered                   the packet path, called directly for speed

A shell carries the orders out, in their order, and tells what comes of it. `now` is in seconds of
one steady clock; `wall` gives Unix time, which is only told.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator

from nrs.endpoint.config import NetworkAccessEndpointConfig
from nrs.endpoint.events import Switch, SwitchLog, one_line
from nrs.endpoint.failover import Choice, Move, Standing, View, choose
from nrs.endpoint.flows import FlowTable
from nrs.endpoint.liveness import State
from nrs.endpoint.nudge import Nudges
from nrs.endpoint.orders import Deliver, Order, SendAgain, UseRouter
from nrs.endpoint.quality import THRESHOLDS, Measure
from nrs.endpoint.tunnel import Settings, Tunnel
from nrs.identity.revoked_tunnels import RevokedTunnels
from nrs.tunnel import wire
from nrs.tunnel.control import Control
from nrs.tunnel.drop import Drop
from nrs.tunnel.inner import flow_destination
from nrs.tunnel.orders import Refuse, SendControl, Tell
from nrs.tunnel.record import Record
from nrs.tunnel.wire import Type

BUSY_S = 1.0
"""A tunnel is busy for this long after its last packet, either way."""
_LONGEST_S = 1.0
_SHORTEST_S = 0.001
_NEVER = -1e9
NOTHING_REVOKED = RevokedTunnels()


class Machine:
    """The tunnels of an endpoint and which of them is active."""

    def __init__(
        self,
        config: NetworkAccessEndpointConfig,
        now: float,
        *,
        switches: SwitchLog,
        flows: FlowTable,
        last_used: str | None,
        wall: Callable[[], float],
        random: Callable[[int], bytes],
        quickened: Callable[[], object],
        revoked: RevokedTunnels = NOTHING_REVOKED,
    ) -> None:
        """`last_used` is the router that an earlier process sent traffic to, `random` gives bytes.

        `quickened` is called when traffic begins to flow: more is due than `next_due` has said.
        """
        self.tunnels: dict[str, Tunnel] = {}
        self.active: str | None = None
        self.switches = switches
        self._flows = flows
        self._last_used = last_used
        self._wall = wall
        self._random = random
        self._quickened = quickened
        self._nudges = Nudges(random)
        self._advised: str | None = None
        self._fled_at: float | None = None
        self._unmeasured: tuple[Switch, float] | None = None
        self._told: list[Order] = []
        """Of the packet path, for the next time that something is due."""
        self._fast_until = _NEVER
        self._states: dict[str, State] = {}
        self._by_router_address: dict[bytes, Tunnel] = {}
        self._by_index: dict[int, Tunnel] = {}
        self._port = config.tunnel.port
        self._revoked = revoked
        self._told += self._build(config, now)

    # -- the packet path

    def select(self, flow: bytes, tcp_flags: int, now: float) -> int:
        """The session for packets of a flow; 0: none. A router's own address is its tunnel's."""
        tunnel = self._by_router_address.get(flow_destination(flow))
        if tunnel is None:
            if self.active is None:
                return 0
            tunnel = self.tunnels[self._flows.tunnel(flow, tcp_flags, now, self.active)]
        self._quicken(now)
        tunnel.data_sent = now
        return tunnel.index

    def delivered(self, index: int, now: float) -> None:
        """Packets have come out of a session."""
        tunnel = self._by_index.get(index)
        if tunnel is None:
            return
        self._quicken(now)
        tunnel.data_received = now
        if self._unmeasured is not None:
            self._measure(index, now)

    def _quicken(self, now: float) -> None:
        """Traffic flows: probe often from now on, beginning at once."""
        idle = now >= self._fast_until
        self._fast_until = now + BUSY_S
        if idle:
            self._quickened()

    # -- what has happened

    def handle_connected(self, router_id: str, version: int, *, again: bool) -> None:
        """There is a socket for this tunnel, over this IP version; `again`: in place of another."""
        self.tunnels[router_id].handle_connected(version, again=again)

    def handle_kept(self, record: Record, since: float, now: float) -> list[Order]:
        """A session of an earlier process, the older ones first; no orders where it is over.

        `since` is when the state of its tunnel began, in Unix time.
        """
        tunnel = self.tunnels.get(record.owner)
        orders = [] if tunnel is None else tunnel.resume(record, since, now)
        if tunnel is not None and orders:
            self._states[record.owner] = tunnel.liveness.state
            self._index()
            if record.owner == self._last_used:
                self.active = self._last_used
        return orders

    def handle_config(self, config: NetworkAccessEndpointConfig, now: float) -> list[Order]:
        """Take over a configuration; a tunnel whose router entry is unchanged stays up.

        With another key it stays up too: a session of the new key replaces the present one.
        """
        return self._build(config, now)

    def handle_revocations(self, revoked: RevokedTunnels, now: float) -> list[Order]:
        """Go by what is revoked now; tunnels of that end at once, and traffic moves."""
        self._revoked = revoked
        ended = self._go_by(now)
        self._index()
        return [*ended, *self._react(now)]

    def handle_advice(self, router_id: str, now: float) -> list[Order]:
        """The load balancer's optimal router."""
        self._advised = router_id
        return self._react(now)

    def handle_handshake(
        self, router_id: str, kind: Type, datagram: bytes, last_sent: int, now: float
    ) -> list[Order]:
        """A HELLO_ACK, RETRY or NO_SESSION at this tunnel's socket, not yet verified.

        `last_sent` is the number of the last datagram that its session has sealed.
        """
        tunnel = self.tunnels[router_id]
        if kind is Type.NO_SESSION:
            return tunnel.handle_no_session(datagram, last_sent, now)
        if kind is Type.RETRY:
            return tunnel.handle_retry(datagram, now)
        if kind is not Type.HELLO_ACK:
            return [Refuse(Drop.MALFORMED)]
        before = tunnel.index
        orders = tunnel.handle_hello_ack(datagram, now, active=router_id == self.active)
        if tunnel.index != before:
            self._index()
            orders += self._react(now)
        return orders

    def handle_control(
        self, index: int, control: Control, highest: int, received: int, now: float
    ) -> list[Order]:
        """A verified control datagram, and what its session has received. Raises wire.Malformed."""
        tunnel = self._by_index.get(index)
        if tunnel is None:
            return []
        before = tunnel.liveness.state, tunnel.flags
        orders = tunnel.handle_control(index, control, highest, received, now)
        if self._unmeasured is not None:
            self._measure(index, now)
        if (tunnel.liveness.state, tunnel.flags) != before or self._fled_at is not None:
            orders += self._react(now)
        return orders

    def handle_too_long(self, index: int, number: int) -> None:
        """The host could not send a PATH_PROBE: it is too long for its own interface."""
        tunnel = self._by_index.get(index)
        if tunnel is not None:
            tunnel.carrying.mtu.refused(number)

    def handle_wait(self, seconds: float) -> None:
        """The endpoint has waited so much longer for a processor."""
        for tunnel in self.tunnels.values():
            tunnel.liveness.waited(seconds)

    def handle_unread(self, router_id: str, now: float) -> None:
        """There is more to read of what has arrived for a tunnel that is `condemned`."""
        self.tunnels[router_id].liveness.unread(now)

    def close(self, now: float) -> list[Order]:
        """Say BYE on every tunnel."""
        return [order for tunnel in self.tunnels.values() for order in tunnel.close(now)]

    def sweep(self, now: float) -> None:
        """Forget flows that are over; call once a second."""
        self._flows.sweep(now)

    # -- what the time brings

    def condemned(self, now: float) -> list[str]:
        """The routers whose tunnels `due` would find silent: first read what has arrived."""
        return [
            router_id
            for router_id, tunnel in self.tunnels.items()
            if tunnel.liveness.condemned(now)
        ]

    def due(self, now: float) -> list[Order]:
        """What is to be sent, who does not answer, and whether traffic moves."""
        return self._react(now, judge=True)

    def _react(self, now: float, *, judge: bool = False) -> list[Order]:
        """Nobody is judged on the way, while others' answers wait to be read."""
        orders, self._told = self._told, []
        orders += self._drive(now, judge=judge)
        orders += self._note_states()
        moved = self._decide(now)
        if moved:
            orders += [*moved, *self._drive(now)]
        if packets := self._nudges.due(now):
            orders.append(Deliver(packets))
        return orders

    def next_due(self, now: float) -> float:
        """When `due` is to be called again, in seconds of the same clock."""
        in_doubt = self._in_doubt()
        times = [t.next_due(now, busy=self._busy(t, now, in_doubt)) for t in self.tunnels.values()]
        times += [now + _LONGEST_S, self._nudges.next_due()]
        return max(now + _SHORTEST_S, min(times))

    def _drive(self, now: float, *, judge: bool = False) -> list[Order]:
        """What is due on each tunnel."""
        in_doubt = self._in_doubt()
        orders: list[Order] = []
        for router_id, tunnel in self.tunnels.items():
            busy = self._busy(tunnel, now, in_doubt)
            orders += tunnel.due(now, busy=busy, active=router_id == self.active, judge=judge)
        return orders

    def _in_doubt(self) -> bool:
        """Whether the active tunnel is not known to answer, or not to be as good as another.

        All are probed then while traffic flows: what is not known of one cannot be chosen by.
        """
        active = self.tunnels.get(self.active) if self.active is not None else None
        return active is not None and (
            active.liveness.state is not State.UP
            or self._fled_at is not None
            or active.lossy
            or self._slow(active)
        )

    def _slow(self, active: Tunnel) -> bool:
        """Whether another tunnel is quicker by more than is put up with."""
        srtt = active.liveness.srtt
        return srtt is not None and any(
            tunnel.of_use
            and tunnel.liveness.srtt is not None
            and srtt - tunnel.liveness.srtt > THRESHOLDS.leave.delay
            for tunnel in self.tunnels.values()
        )

    def _others(self, router_id: str, now: float) -> Iterator[Measure]:
        """What is known of the tunnels that traffic could move to from this router's."""
        for tunnel in self.tunnels.values():
            if tunnel.router_id != router_id and tunnel.of_use:
                yield tunnel.measure(now)

    def _busy(self, tunnel: Tunnel, now: float, in_doubt: bool) -> bool:
        if not tunnel.index or now >= self._fast_until:
            return False
        return in_doubt or tunnel.in_question or now - tunnel.last_data < BUSY_S

    # -- the tunnels

    def _build(self, config: NetworkAccessEndpointConfig, now: float) -> list[Order]:
        moved = config.tunnel.port != self._port
        self._port = config.tunnel.port
        wanted = {router.router_id: router for router in config.routers}
        orders: list[Order] = []
        for router_id, tunnel in list(self.tunnels.items()):
            if moved or wanted.get(router_id) != tunnel.router:
                orders += tunnel.close(now)
                self._release(router_id)
                del self.tunnels[router_id]
        for router_id, router in wanted.items():
            settings = Settings.of(config, router_id)
            if router_id in self.tunnels:
                self.tunnels[router_id].adjust(settings)
            else:
                self.tunnels[router_id] = Tunnel(
                    router,
                    settings,
                    now,
                    self._wall(),
                    self._random,
                    self._new_index,
                    self._wall,
                    self._others,
                )
        if self.active not in self.tunnels:
            self.active = self._fled_at = None
        orders += self._go_by(now)
        self._index()
        return orders

    def _go_by(self, now: float) -> list[Order]:
        return [o for t in self.tunnels.values() for o in t.go_by(self._revoked, now)]

    def _new_index(self) -> int:
        while True:
            index = int.from_bytes(self._random(4), "big")
            if index and index not in self._by_index:
                return index

    def _index(self) -> None:
        """Find tunnels by what packets name."""
        tunnels = self.tunnels.values()
        self._by_index = {i: t for t in tunnels for i in (t.index, t.previous) if i}
        self._by_router_address = {a: t for t in tunnels for a in t.router_addresses}

    def _note_states(self) -> list[Order]:
        orders: list[Order] = []
        for router_id, tunnel in self.tunnels.items():
            before, state = self._states.get(router_id), tunnel.liveness.state
            if before is not state:
                if before is not None or state is not State.CONNECTING:
                    text = f"tunnel to {router_id} is {state.value}"
                    orders.append(Tell(logging.INFO, text))
                self._states[router_id] = state
                orders += tunnel.enter(self._wall())
        self._states = {r: s for r, s in self._states.items() if r in self.tunnels}
        self._index()
        return orders

    # -- which of them is active

    def _decide(self, now: float) -> list[Order]:
        """Move traffic if that is called for."""
        views = {router_id: tunnel.view(now) for router_id, tunnel in self.tunnels.items()}
        present = views[self.active] if self.active is not None else None
        if present and self._fled_at is not None and present.answered > self._fled_at:
            self._fled_at = None
        choice = choose(
            list(views.values()), self.active, self._advised, now, fled_at=self._fled_at
        )
        before = self.active
        failed = before if choice is not None and choice.move is Move.FAILURE else None
        if choice is not None:
            self.active = choice.router_id
            self._fled_at = now if failed is not None else None
        orders, flows, resent = self._leave(views, now, failed)
        if choice is None:
            return orders
        held = [] if before is None else self.tunnels[choice.router_id].carrying.hold(now)
        moved: list[Order] = [UseRouter(choice.router_id), *held, *orders]
        moved.append(self._note_switch(choice, before, views, now, flows, resent))
        self.tunnels[choice.router_id].liveness.probe_now()
        for router_id, tunnel in self.tunnels.items():
            if tunnel.index:
                flags = wire.ACTIVE if router_id == self.active else 0
                moved.append(SendControl(tunnel.index, Type.ROLE, flags=flags))
        return moved

    def _leave(
        self, views: dict[str, View], now: float, failed: str | None
    ) -> tuple[list[Order], int, int]:
        """Flows and unacknowledged packets leave the tunnels that are of no use; how many.

        `failed` is the one that traffic has just fled from, whatever else is known of it.
        """
        orders: list[Order] = []
        flows = resent = 0
        active = self.tunnels.get(self.active) if self.active is not None else None
        if active is None or not active.index:
            return orders, 0, 0
        present = views[active.router_id].standing(now)
        for router_id, tunnel in self.tunnels.items():
            standing = views[router_id].standing(now)
            if tunnel is active:
                continue
            if router_id == failed or standing >= Standing.USELESS > present:
                flows += self._release(router_id)
                frames = tunnel.unconfirmed(now)
                if frames:
                    resent += len(frames)
                    active.data_sent = now
                    orders.append(SendAgain(active.index, frames))
            elif standing is Standing.DEGRADED > present:
                flows += self._release(router_id, but_tcp=True)
        return orders, flows, resent

    def _release(self, router_id: str, *, but_tcp: bool = False) -> int:
        if not self._flows.count(router_id):
            return 0
        released = self._flows.release(router_id, but_tcp=but_tcp)
        self._nudges.add(released)
        return len(released)

    def _note_switch(
        self,
        choice: Choice,
        before: str | None,
        views: dict[str, View],
        now: float,
        flows: int,
        resent: int,
    ) -> Tell:
        switch = self.switches.add(
            when=self._wall(),
            before=before,
            after=choice.router_id,
            cause=choice.cause,
            evidence=[t.evidence(views[r], now) for r, t in self.tunnels.items()],
            rejected=choice.rejected,
            resent=resent,
            flows_moved=flows,
        )
        if before is not None and choice.move is Move.FAILURE:
            heard = self.tunnels[before].data_received
            if views[before].standing(now) is not Standing.USELESS:
                heard = max(heard, views[before].answered)
            elif now - heard > BUSY_S:
                heard = now  # there was nothing to interrupt before the router said so
            self._unmeasured = switch, heard
        elif before is not None:
            # Flows stay and both tunnels live: nothing was interrupted.
            self.switches.measured(switch.number, 0.0)
        return Tell(logging.INFO, f"traffic moves: {one_line(switch)}")

    def _measure(self, index: int, now: float) -> None:
        """The first sign of life through the tunnel that traffic has fled to ends the gap."""
        if self._unmeasured is None:
            return
        switch, heard = self._unmeasured
        tunnel = self.tunnels.get(switch.after)
        if tunnel is None or index == tunnel.index:
            self._unmeasured = None
        if tunnel is not None and index == tunnel.index:
            gap_ms = round((now - heard) * 1000, 1)
            self.switches.measured(switch.number, gap_ms)
            text = f"traffic is back after {gap_ms:.1f} ms (switch {switch.number})"
            self._told.append(Tell(logging.INFO, text))
