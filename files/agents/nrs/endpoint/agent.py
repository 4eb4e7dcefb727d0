"""The access endpoint: carries out what its machine orders, with sockets, routes and timers."""

from __future__ import annotations

import logging
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any

from nrs.agent.packet_agent import PacketAgent
from nrs.agent.run import Start
from nrs.config.pushed import state_directory
from nrs.endpoint import event_command, event_file, push
from nrs.endpoint.config import NetworkAccessEndpointConfig
from nrs.endpoint.events import SwitchLog
from nrs.endpoint.flow_memory import FlowMemory
from nrs.endpoint.flows import FlowTable
from nrs.endpoint.host_network import HostNetwork
from nrs.endpoint.lan import Lan, families_of
from nrs.endpoint.liveness import State
from nrs.endpoint.machine import Machine
from nrs.endpoint.names import Names
from nrs.endpoint.orders import Deliver, JoinTrains, Order, SendAgain, SendHello, UseRouter
from nrs.endpoint.uplink import TRY_S, Uplink, Uplinks
from nrs.endpoint.uplink_address import UplinkAddresses
from nrs.endpoint.work import work_of
from nrs.identity.revoked_tunnels import RevokedTunnels
from nrs.system.addresses import Addresses
from nrs.system.connected import connected
from nrs.system.control import socket_path
from nrs.system.link_changes import Event
from nrs.system.link_events import LinkEvents
from nrs.tunnel.codec.sealing import Check
from nrs.tunnel.control import Control
from nrs.tunnel.drop import Drop
from nrs.tunnel.engine import Engine
from nrs.tunnel.loop import Timer
from nrs.tunnel.orders import OpenSession, Refuse, SendControl, Tell
from nrs.tunnel.session import Session, open_session, protection_of, resume_session
from nrs.tunnel.session_memory import Slot
from nrs.tunnel.udp_socket import SocketAddress, UdpSocket
from nrs.tunnel.wire import Type

log = logging.getLogger(__name__)

_FLOWS = "flows"
_ACTIVE = "active"
_UPLINKS = "uplinks"
_LANE = 0


class NetworkAccessEndpoint(PacketAgent[NetworkAccessEndpointConfig]):
    """A running endpoint; towards its engine it is `Peers`."""

    UNIT = "network_access_endpoint"
    SECTION = "endpoint"
    COMPANION = "nrs.endpoint.reporter"
    ready = "serving"

    def __init__(self, start: Start[NetworkAccessEndpointConfig]) -> None:
        """Raises OSError, LinkError, CodecError."""
        super().__init__(start)
        tunnel = self.config.tunnel
        self._tun = self.open_device(tunnel.interface_name, tunnel.mtu, *tunnel.addresses)
        self._switches = self._kept_switches()
        self._addresses = self._follow_addresses()
        self._uplinks = Uplinks(self.store, Names(lambda: self.loop.wake(self._look_again)))
        self._uplink_addresses = UplinkAddresses(self.notes.get(_UPLINKS))
        self._slots: dict[int, Slot] = {}
        """Of the sessions of an earlier process, while they are looked at."""
        self._timer: Timer | None = None
        self._machine = self._make_machine()
        self._waited = self.loop.waited()
        """For a processor, as far as the machine has been told."""
        self._active: str | None = None
        """As told and as kept: who has seen it may rely on it after a restart."""
        self.engine = Engine(self._tun, self.loop, self._machine, self, self.codec, self.memory)
        self.undo(self._close)
        self._uplinks.configure(self.config)
        self._choose_addresses(self.config)
        self._connect()
        self._resume()
        self._serve_due()
        self._lan = self._serve_lan()
        self._network = HostNetwork(
            self._tun.name,
            self.config,
            self.families,
            socket_path(self.UNIT).parent,
            self._uplink_addresses.present,
            self.review_pushed,
        )
        self.cleanup.callback(self._network.close)
        self.undo(self._network.withdraw)
        self.end_beside(self._network.stop)
        self._network.start()
        self.open_control(
            advise=self._advise,
            traffic=self._traffic,
            events=lambda request: event_command.answer(self._switches, request),
        )
        log.info(
            "endpoint %s: device %s, tunnels to %s, codec %s, crypto %s, offloads %s",
            self.config.endpoint.endpoint_id,
            self._tun.name,
            ", ".join(self._machine.tunnels),
            self.codec.name,
            self.codec.crypto.used,
            ", ".join(self._offloads()) or "none",
        )

    def _serve_lan(self) -> Lan | None:
        """Forward for the networks behind this endpoint, where there are any."""
        advertised = self.config.tunnel.advertise
        if not advertised:
            self.forward((), frozenset())
            return None
        host = self._addresses.networks
        lan = Lan(advertised, self._tun.name, host, self.ask_for_forwarding, self.note_forwarding)
        self.cleanup.callback(lan.keeper.close)
        self.forward(lan.interfaces, families_of(advertised))
        self.end_beside(lan.keeper.stop)
        lan.keeper.start()
        return lan

    @classmethod
    def lay(
        cls, config: NetworkAccessEndpointConfig, data: dict[str, Any], over: Mapping[str, Any]
    ) -> dict[str, Any]:
        return push.lay(config, data, over, connected(config.tunnel.interface_name), {})

    def lay_running(
        self, config: NetworkAccessEndpointConfig, data: dict[str, Any], over: Mapping[str, Any]
    ) -> dict[str, Any]:
        """A tunnel that is up may stay where its router's name led to before."""
        named = {
            uplink.address: f"the address of routers: {uplink.router.router_id}"
            for uplink in list(self._uplinks.by_router.values())
            if uplink.address is not None
        }
        named |= self._network.named
        return push.lay(config, data, over, connected(config.tunnel.interface_name), named)

    def _make_machine(self) -> Machine:
        memory = FlowMemory(self.store.take(_FLOWS))
        self.keep(_FLOWS, memory.file)
        flows = FlowTable(memory=memory)
        now = self.loop.clock()
        memory.replay(flows, [router.router_id for router in self.config.routers], now)
        last_used = self.notes.get(_ACTIVE)
        return Machine(
            self.config,
            now,
            switches=self._switches,
            flows=flows,
            last_used=last_used if isinstance(last_used, str) else None,
            wall=time.time,
            random=secrets.token_bytes,
            quickened=lambda: self._arm(self.loop.now),
            revoked=self.revocations.in_force,
        )

    def _follow_addresses(self) -> Addresses:
        """The addresses of this host's interfaces, kept up to date from the packet loop."""
        events, addresses = LinkEvents(), Addresses()
        self.cleanup.callback(events.close)
        addresses.take(events.first())
        self.loop.add_reader(events.fileno(), lambda: self._take_links(events.read()))
        return addresses

    def _take_links(self, events: Iterable[Event]) -> None:
        self._addresses.take(events)
        if self._choose_addresses(self.config):
            self._network.leave_from(self._uplink_addresses.present)
            self._connect()
            self._serve_due()

    def _choose_addresses(self, config: NetworkAccessEndpointConfig) -> bool:
        """Which addresses tunnels leave from; whether they are others than before."""
        wanted = [r.bind_address for r in config.routers if r.bind_address is not None]
        told = self._uplink_addresses.follow(wanted, self._addresses)
        self.notes.put(_UPLINKS, self._uplink_addresses.kept)
        for text in told:
            log.warning("%s", text)
        for uplink in self._uplinks.by_router.values():
            local = uplink.router.bind_address
            uplink.leave_from(local and self._uplink_addresses.present.get(local, local))
        return bool(told)

    def _kept_switches(self) -> SwitchLog:
        """The switches of earlier runs; those of this one are written beside them."""
        directory = state_directory(self.UNIT)
        switches = SwitchLog(start=event_file.read(directory))
        writer = event_file.EventWriter(directory, switches)
        writer.start()
        self.end_beside(writer.stop)
        return switches

    def _resume(self) -> None:
        """Go on where an earlier process has ended."""
        found = sorted(self.memory, key=lambda entry: entry[1].created)
        self._slots = {record.secrets.local_index: slot for slot, record in found}
        for slot, record in found:
            self._carry_out(
                self._machine.handle_kept(record, slot.progress.since, self.loop.clock())
            )
        for slot in self._slots.values():
            slot.release()
        self._slots = {}
        self._active = self._machine.active
        if found:
            count = len(self.engine.sessions)
            log.info("%d of %d sessions of an earlier run go on", count, len(found))

    # -- carrying out

    def _carry_out(self, orders: Iterable[Order]) -> Drop | None:
        """Do it all, in its order; why the datagram that brought it was dropped, if it was."""
        refused = None
        for order in orders:
            match order:
                case SendControl():
                    if not self.engine.send_control(order):
                        self._machine.handle_too_long(order.index, order.specific)
                case JoinTrains(index, allowed):
                    self.engine.sessions[index].socket.join(allowed=allowed)
                case SendHello():
                    socket = self._uplinks.by_router[order.router_id].socket
                    if socket is not None:
                        self.engine.send_raw(socket, order.datagram, None, None)
                case OpenSession():
                    self._open(order)
                case SendAgain():
                    self.engine.send_again(self.engine.sessions[order.index], order.frames)
                case Deliver():
                    for packet in order.packets:
                        self._tun.deliver(packet)
                case UseRouter():
                    self.notes.put(_ACTIVE, order.router_id)
                    self._active = order.router_id
                case Refuse():
                    refused = order.reason
                case Tell():
                    log.log(order.level, "%s", order.text)
                case _:
                    self.engine.carry_out(order)
        return refused

    def _open(self, order: OpenSession) -> None:
        record, key = order.record, order.key
        socket = self._uplinks.by_router[record.owner].socket
        assert socket is not None
        slot = self._slots.pop(record.secrets.local_index, None)
        if slot is None:
            session = open_session(self.codec, self.memory, record, key, Check.DESTINATION, socket)
        else:
            session = resume_session(
                self.codec, slot, record, key, Check.DESTINATION, socket, self.loop.clock()
            )
        session.sent = order.sent
        self.engine.add_session(session)

    def _connect(self) -> None:
        """Open the sockets that are missing, and those that have moved anew."""
        for router_id, uplink in self._uplinks.by_router.items():
            tunnel = self._machine.tunnels[router_id]
            live, now = tunnel.liveness, self.loop.clock()
            settled = live.state is State.UP
            failing = not settled and now - live.since >= TRY_S
            opened = uplink.connect(self._addresses, settled=settled, failing=failing, now=now)
            if opened is None:
                continue
            before = uplink.socket
            self.engine.add_socket(opened)
            if before is not None:
                for index in (tunnel.index, tunnel.previous):
                    if index:
                        self.engine.sessions[index].move(self.codec, opened)
                self.engine.remove_socket(before)
            uplink.replace(opened)
            version = 4 if opened.sends_ipv4(None) else 6
            self._machine.handle_connected(router_id, version, again=before is not None)

    def _look_again(self) -> None:
        """A name has other addresses than before."""
        self._connect()
        self._serve_due()

    def _disconnect(self, uplinks: Iterable[Uplink]) -> None:
        for uplink in uplinks:
            if uplink.socket is not None:
                self.engine.remove_socket(uplink.socket)
            uplink.close()

    def _serve_due(self) -> None:
        """Do what is due, and come back when something is due next."""
        waited, self._waited = self._waited, self.loop.waited()
        self._machine.handle_wait(self._waited - waited)
        for router_id in self._machine.condemned(self.loop.clock()):
            socket = self._uplinks.by_router[router_id].socket
            if socket is not None and not self.engine.catch_up(socket):
                self._machine.handle_unread(router_id, self.loop.clock())
        self._carry_out(self._machine.due(self.loop.clock()))
        self._rearm()

    def _rearm(self) -> None:
        self._arm(self._machine.next_due(self.loop.clock()))

    def _arm(self, when: float) -> None:
        if self._timer is not None:
            if self._timer.callback is not None and self._timer.when <= when:
                return
            self._timer.cancel()
        self._timer = self.loop.call_at(when, self._on_timer)

    def _on_timer(self) -> None:
        self._timer = None
        self._serve_due()

    def _close(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._carry_out(self._machine.close(self.loop.clock()))
        self._disconnect(self._uplinks.by_router.values())

    # -- Peers

    def handshake(
        self,
        kind: Type,
        datagram: bytes,
        socket: UdpSocket,
        peer: SocketAddress,
        local: bytes | None,
    ) -> Drop | None:
        """A HELLO_ACK, RETRY or NO_SESSION at the socket of a tunnel."""
        router_id = self._uplinks.owner(socket)
        if router_id is None:
            return Drop.NO_SESSION
        session = self.engine.sessions.get(self._machine.tunnels[router_id].index)
        refused = self._carry_out(
            self._machine.handle_handshake(
                router_id,
                kind,
                datagram,
                0 if session is None else session.sealer.sequence,
                self.loop.clock(),
            )
        )
        self._rearm()
        return refused

    def unknown(
        self, datagram: bytes, socket: UdpSocket, peer: SocketAddress, local: bytes | None
    ) -> None:
        """Nothing to do: a router whose endpoint knows no session gets HELLOs already."""

    def confirmed(self, session: Session) -> None:
        """Nothing to do: the endpoint's sessions are current from the handshake on."""

    def moved(self, session: Session) -> None:
        """Nothing to do: its sockets are connected."""

    def control(self, session: Session, control: Control) -> None:
        """A verified control datagram."""
        opener = session.opener
        self._carry_out(
            self._machine.handle_control(
                session.local_index,
                control,
                opener.highest(_LANE),
                opener.received(_LANE),
                self.loop.clock(),
            )
        )
        self._rearm()

    # -- PacketAgent

    @staticmethod
    def model() -> type[NetworkAccessEndpointConfig]:
        return NetworkAccessEndpointConfig

    def restart_keys(self, config: NetworkAccessEndpointConfig) -> dict[str, object]:
        return {
            "endpoint.endpoint_id": config.endpoint.endpoint_id,
            "tunnel.interface_name": config.tunnel.interface_name,
            "tunnel.mtu": config.tunnel.mtu,
            "tunnel.tun_ipv4": config.tunnel.tun_ipv4,
            "tunnel.tun_ipv6": config.tunnel.tun_ipv6,
            "tunnel.advertise": config.tunnel.advertise,
            "tunnel.generation": config.tunnel.generation,
        }

    def take_over(self, config: NetworkAccessEndpointConfig) -> None:
        self._carry_out(self._machine.handle_config(config, self.loop.clock()))
        self._disconnect(self._uplinks.configure(config))
        self._choose_addresses(config)
        self._network.configure(config, self._uplink_addresses.present)
        self._connect()
        self._serve_due()

    def go_by(self, revoked: RevokedTunnels) -> None:
        self._carry_out(self._machine.handle_revocations(revoked, self.loop.clock()))
        self._rearm()

    def settle(self) -> None:
        """Wait until routes and rules are in place."""
        self._network.settle()

    def announce_restart(self) -> None:
        """Routers need not know: what they send waits in the sockets."""

    def tend(self) -> None:
        self._machine.sweep(self.loop.now)
        if self._lan is not None:
            self._lan.tend()
        self._connect()
        self._rearm()

    def work(self) -> dict[str, Any]:
        return work_of(self.config)

    # -- for the control thread

    def _problems(self) -> list[dict[str, Any]]:
        """What is not as it should be, and since when (seconds since the epoch)."""
        refusals = [
            (why, tunnel.state_since)
            for tunnel in list(self._machine.tunnels.values())
            if (why := tunnel.revoked or tunnel.refusal) is not None
        ]
        lan = [] if self._lan is None else self._lan.keeper.problems
        found = [*self._network.problems, *refusals, *lan]
        return [{"what": what, "since": since} for what, since in found]

    def status(self) -> dict[str, Any]:
        network = self._network.status()
        forwarding = {} if self._lan is None else self._lan.keeper.upkeep()
        return {
            "id": self.config.endpoint.endpoint_id,
            "name": self.config.endpoint.name,
            "offloads": self._offloads(),
            **network,
            **{key: network[key] + count for key, count in forwarding.items()},
            "problems": self._problems(),
            "advertised": list(map(str, self.config.tunnel.advertise)),
            "tunnels": [
                {
                    "router_id": tunnel.router_id,
                    "up": tunnel.liveness.state is State.UP,
                    "active": tunnel.router_id == self._active,
                    "rtt_ms": tunnel.rtt_ms,
                    "since": tunnel.state_since,
                    "address": self._uplinks.remote(tunnel.router_id),
                    "state": "revoked" if tunnel.revoked else tunnel.liveness.state.value,
                    "path_mtu": tunnel.carrying.mtu.size if tunnel.index else None,
                    "path_state": tunnel.carrying.mtu.state.value if tunnel.index else None,
                    "not_together": list(tunnel.carrying.trains.lost()),
                    **protection_of(self.engine.sessions.get(tunnel.index)),
                }
                for tunnel in list(self._machine.tunnels.values())
            ],
        }

    def _offloads(self) -> list[str]:
        names = list(self._tun.offloads)
        for uplink in list(self._uplinks.by_router.values()):
            offloads = () if uplink.socket is None else uplink.socket.offloads
            names += [name for name in offloads if name not in names]
        return names

    def _traffic(self, _: dict[str, Any]) -> dict[str, int]:
        figures = self.engine.figures
        return {"rx_bytes": figures.rx_bytes, "tx_bytes": figures.tx_bytes}

    def _advise(self, request: dict[str, Any]) -> dict[str, Any]:
        router_id = request.get("router_id")
        if not isinstance(router_id, str) or router_id not in self._machine.tunnels:
            raise ValueError(f"router_id: {router_id!r} is not one of this endpoint's routers")
        self.loop.wake(lambda: self._take_advice(router_id))
        return {}

    def _take_advice(self, router_id: str) -> None:
        self._carry_out(self._machine.handle_advice(router_id, self.loop.clock()))
        self._rearm()
