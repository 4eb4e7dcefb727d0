"""The routing server's shell: sockets, TUN device, forwarding and NAT."""

from __future__ import annotations

import logging
import secrets
import time
from typing import Any

from nrs.agent.packet_agent import PacketAgent
from nrs.agent.run import Start
from nrs.config import pushed
from nrs.config.types import IPAddress
from nrs.identity.revoked_tunnels import RevokedTunnels
from nrs.router import session_index
from nrs.router.announcement import BUSY_S
from nrs.router.claims import Host
from nrs.router.config import RoutingServerConfig
from nrs.router.drain import Phase
from nrs.router.drainer import Drainer
from nrs.router.egress_watch import EgressWatch
from nrs.router.endpoints import Endpoints
from nrs.router.host_watch import HostWatch
from nrs.router.listening import listen
from nrs.router.machine import RouterMachine
from nrs.router.own_network import OwnNetwork
from nrs.router.passage import WINDOW_S
from nrs.router.passages import Passages
from nrs.router.probe import Probes
from nrs.router.retry_secret import RetrySecret
from nrs.router.ruleset import Ruleset
from nrs.router.service import Service
from nrs.router.session_table import Device
from nrs.router.work import work_of
from nrs.system import ipv6
from nrs.system.control import socket_path
from nrs.system.host_keeper import HostKeeper
from nrs.tunnel.address_text import describe, name_ports
from nrs.tunnel.session import protection_of

log = logging.getLogger(__name__)

_RETRY = "retry"

IN_USE_S = 10.0
"""A tunnel counts as in use while packets have passed it this recently."""


class RoutingServer(PacketAgent[RoutingServerConfig]):
    """A running routing server."""

    UNIT = "routing_server"
    SECTION = "server"
    COMPANION = "nrs.router.reporter"

    def __init__(self, start: Start[RoutingServerConfig]) -> None:
        """Raises OSError, LinkError, NftablesError, CodecError."""
        super().__init__(start)
        config, server, tunnel = start.config, start.config.server, start.config.tunnel
        if self.links.index(server.egress_interface) is None:
            log.warning("egress interface %s is not there yet", server.egress_interface)
        self._restart_told = False
        self._down_since = time.time()
        address = ipv6.bindable(str(server.bind_address))
        self._ports = listen(address, server.ports, self.store, self.cleanup)
        self._tun = self.open_device(tunnel.interface_name, tunnel.mtu, *tunnel.addresses)
        self._interfaces = (self._tun.name, server.egress_interface)
        self.forward(self._interfaces)
        ruleset = Ruleset()
        self.undo(ruleset.remove)
        self._keeper = HostKeeper(
            ruleset, self._interfaces, self.ask_for_forwarding, self.note_forwarding
        )
        self.cleanup.callback(self._keeper.close)
        self._network = OwnNetwork(
            self._tun.name,
            [own for own in tunnel.addresses if own.version in self.families],
            socket_path(self.UNIT).parent,
        )
        self.cleanup.callback(self._network.close)
        retry = RetrySecret(secrets.token_bytes, self.store.take(_RETRY))
        self.keep(_RETRY, retry.file)
        self._machine = RouterMachine(
            config,
            secrets.token_bytes,
            self.families,
            session_index.beginning(),
            retry_secret=retry.value,
        )
        probes = Probes(secrets.randbits(16))
        self._endpoints = Endpoints(
            self._machine,
            self.loop,
            self._tun,
            self._ports,
            self.codec,
            self.memory,
            self._network.routes,
            self.hurry_companion,
            probes.take,
        )
        self.engine = self._endpoints.engine
        watch = HostWatch(self.loop, tunnel.interface_name, self._take_host)
        self.cleanup.callback(watch.close)
        self._take_host(watch.host)
        self.go_by(self.revocations.in_force)
        self._endpoints.resume()
        self._network.routes.drop_others()
        self.undo(lambda: self._endpoints.carry_out(self._machine.close()))
        self.cleanup.callback(self._endpoints.close)
        state = pushed.state_directory(self.UNIT)
        self._drainer = Drainer(config, self.loop, ruleset, state, self._take_state)
        self._egress = EgressWatch(
            self.loop, server.egress_interface, config.egress, self._take_state, self._busy
        )
        self.cleanup.callback(self._egress.close)
        self._passages = Passages(
            self.loop,
            self._tun,
            config,
            probes,
            self.families,
            taken=self._machine.is_taken,
            sending=self._count_sending,
            changed=self._take_state,
        )
        self.cleanup.callback(self._passages.close)
        self.end_beside(self._keeper.stop)
        self.end_beside(self._network.stop)
        self._keeper.start()
        self._network.start()
        self.open_control(metrics=self._metrics, drain=self._drain, undrain=self._undrain)
        self._take_state()
        log.info(
            "routing server %s listens on %s %s, device %s, codec %s, crypto %s, offloads %s",
            server.server_id,
            server.bind_address,
            name_ports(server.ports),
            self._tun.name,
            self.codec.name,
            self.codec.crypto.used,
            ", ".join(self._offloads()) or "none",
        )

    # -- what every agent says

    @staticmethod
    def model() -> type[RoutingServerConfig]:
        return RoutingServerConfig

    @property
    def ready(self) -> str:
        return f"serving on {name_ports(self.config.server.ports)}"

    def work(self) -> dict[str, Any]:
        return work_of(self.config)

    def restart_keys(self, config: RoutingServerConfig) -> dict[str, object]:
        return {
            "server.server_id": config.server.server_id,
            "server.bind_address": config.server.bind_address,
            "server.bind_port or server.bind_ports": set(config.server.ports),
            "tunnel.interface_name": config.tunnel.interface_name,
            "tunnel.mtu": config.tunnel.mtu,
            "tunnel.tun_ipv4": config.tunnel.tun_ipv4,
            "tunnel.tun_ipv6": config.tunnel.tun_ipv6,
        }

    def take_over(self, config: RoutingServerConfig) -> None:
        """By all of it or, where the host refuses something, by none."""
        self._drainer.configure(config)
        try:
            self._egress.configure(config.server.egress_interface, config.egress)
        except OSError:
            self._drainer.configure(self.config)
            raise
        self._keeper.configure((self._tun.name, config.server.egress_interface))
        self._passages.configure(config)
        self._endpoints.configure(config)

    def go_by(self, revoked: RevokedTunnels) -> None:
        self._endpoints.carry_out(self._machine.handle_revocations(revoked))

    def tend(self) -> None:
        self._endpoints.carry_out(self._machine.due(self.loop.clock(), self.engine.sessions))
        self._drainer.tend()

    def announce_restart(self) -> None:
        self._restart_told = True
        self._take_state()

    # -- its state

    def _take_state(self) -> None:
        health, phase = self._egress.health, self._drainer.phase
        self._passages.pause(phase is Phase.DRAINED)
        up = health.up and self._passages.open
        if not up and self._machine.service.egress_up:
            self._down_since = time.time()
        self._endpoints.carry_out(
            self._machine.handle_service(Service(up, health.echoes, phase, self._restart_told))
        )

    def _take_host(self, host: Host) -> None:
        self._endpoints.carry_out(self._machine.handle_host(host))

    def _busy(self) -> bool:
        return self.loop.clock() - self.engine.last_delivered < BUSY_S

    def _count_sending(self, now: float) -> int:
        """Endpoints that have sent packets lately."""
        since = now - WINDOW_S
        sessions = self.engine.sessions.values()
        return sum(session.last_data_received > since for session in sessions)

    def _upkeep(self) -> dict[str, int]:
        host, network = self._keeper.upkeep(), self._network.upkeep()
        return {name: count + network[name] for name, count in host.items()}

    def _egress_reason(self) -> str | None:
        return self._egress.health.reason or self._passages.reason

    def _problems(self) -> list[dict[str, Any]]:
        """What is not as it should be, and since when (seconds since the epoch)."""
        found = [*self._keeper.problems, *self._network.problems, *self._passages.problems]
        reason = self._egress_reason()
        if reason is not None:
            found.insert(0, (reason, self._down_since))
        return [{"what": what, "since": since} for what, since in found]

    # -- commands; they run in the control thread

    def _drain(self, request: dict[str, Any]) -> dict[str, Any]:
        """`nrs drain`. Raises ValueError."""
        changed = self._drainer.begin(request.get("deadline"))
        return {
            "changed": changed,
            "seconds_left": round(self._drainer.left or 0.0),
            "tunnels_in_use": self._in_use(),
        }

    def _undrain(self, _: dict[str, Any]) -> dict[str, Any]:
        """`nrs undrain`. Raises ValueError."""
        return {"changed": self._drainer.end()}

    def _metrics(self, _: dict[str, Any]) -> dict[str, Any]:
        figures = self.engine.figures
        return {
            "active_tunnels": self._machine.count_up(self.loop.clock(), self.engine.sessions),
            "total_rx_packets": figures.rx_packets,
            "total_tx_packets": figures.tx_packets,
            "rx_bytes": figures.rx_bytes,
            "tx_bytes": figures.tx_bytes,
            **self.revocations.status(),
            **self._told(),
            **self._upkeep(),
        }

    def _told(self) -> dict[str, Any]:
        """What the load balancers are told of its state."""
        service = self._machine.service
        return {"egress_up": service.egress_up, "draining": service.draining}

    def status(self) -> dict[str, Any]:
        now, server = self.loop.clock(), self.config.server
        told = {
            **self._told(),
            "egress_reason": self._egress_reason(),
            "passes": self._passages.states,
            "problems": self._problems(),
            **self._upkeep(),
        }
        left = self._drainer.left
        if left is not None:
            told |= {"drain_seconds_left": round(left), "tunnels_in_use": self._in_use()}
        return {
            "id": server.server_id,
            "name": server.name,
            "tunnel_id": server.tunnel_id,
            "ports": [port.sessions.port for port in self._ports],
            "offloads": self._offloads(),
            **told,
            "second_devices_refused": self._machine.refused_devices,
            "claims_refused": self._machine.refused_claims,
            "hellos_asked_again": self._machine.retries,
            "paths_not_validated": self._machine.paths_not_validated,
            "tunnels": [
                {
                    "endpoint_id": device.claim.endpoint_id,
                    "up": (up := device.up(now, self.engine.sessions)),
                    "active": device.active and up,
                    "in_use": self._is_in_use(device),
                    "rtt_ms": None,
                    "since": device.since,
                    "address": describe(session.peer or ()),
                    "port": session.socket.port,
                    "path_mtu": session.path_mtu,
                    "not_together": [] if session.together else ["trains that are sent to it"],
                    "tun_ipv4": _text(device.claim.tun_ipv4),
                    "tun_ipv6": _text(device.claim.tun_ipv6),
                    "prefixes": list(map(str, device.claim.prefixes)),
                    "contested": self._machine.contested(device),
                    **protection_of(session),
                }
                for device in self._machine.devices
                if device.current is not None
                and (session := self.engine.sessions.get(device.current.index)) is not None
            ],
        }

    def _in_use(self) -> int:
        return sum(map(self._is_in_use, self._machine.devices))

    def _is_in_use(self, device: Device) -> bool:
        heard = device.heard(self.engine.sessions)
        if heard is None:
            return False
        return max(heard.last_data_sent, heard.last_data_received) > self.loop.clock() - IN_USE_S

    def _offloads(self) -> list[str]:
        """Of the sockets, what each of them has."""
        common = [
            name
            for name in self._ports[0].sessions.offloads
            if all(name in port.sessions.offloads for port in self._ports)
        ]
        return [*self._tun.offloads, *common]


def _text(address: IPAddress | None) -> str | None:
    return None if address is None else str(address)
