"""The routing server's shell: socket, TUN device, forwarding and NAT."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from nrs.agent.shell import PacketAgent, run_agent
from nrs.config import pushed
from nrs.config.pushed import Pushed
from nrs.router.config import RoutingServerConfig
from nrs.router.policy import RouterPolicy
from nrs.router.ruleset import Ruleset
from nrs.router.service_state import ServiceState
from nrs.system import forwarding
from nrs.tunnel.engine import Engine, describe
from nrs.tunnel.session import key_of
from nrs.tunnel.udp_socket import UdpSocket

log = logging.getLogger(__name__)

UNIT = "routing_server"
_SOCKET = "udp"
_FORWARDING = "forwarding turned on"


def run(config_path: Path) -> int:
    """Run in the foreground until SIGTERM; the exit status."""

    def start(
        stored: Pushed, config: RoutingServerConfig, cleanup: ExitStack
    ) -> Callable[[], None]:
        agent = RoutingServer(config_path, RoutingServerConfig, stored, config, cleanup)
        agent.set_up()
        return lambda: agent.serve(f"serving on port {config.server.bind_port}")

    return run_agent(
        config_path, RoutingServerConfig, UNIT, lambda config: config.server.log_file, start
    )


class RoutingServer(PacketAgent[RoutingServerConfig]):
    """A running routing server."""

    UNIT: ClassVar[str] = UNIT
    COMPANION: ClassVar[str] = "nrs.router.reporter"

    def set_up(self) -> None:
        """Raises OSError, LinkError, NftablesError."""
        server, tunnel = self.config.server, self.config.tunnel
        if self.links.index(server.egress_interface) is None:
            log.warning("egress interface %s is not there yet", server.egress_interface)
        self._socket = self._open_socket(str(server.bind_address), server.bind_port)
        self._tun = self.open_device(tunnel.interface_name, tunnel.tun_ipv4, tunnel.tun_ipv6)
        self._forward()
        ruleset = Ruleset()
        self.undo(ruleset.remove)
        self._policy = RouterPolicy(self.config, self.links)
        self.engine = Engine(self._tun, self.loop, self._policy, self.codec, self.memory)
        self.engine.add_socket(self._socket)
        self._policy.start(self.engine, self._socket)
        self.undo(self._policy.close)
        self._state = ServiceState(
            self.config,
            self.loop,
            self._policy,
            ruleset,
            pushed.state_directory(UNIT),
            self.hurry_companion,
        )
        self.cleanup.callback(self._state.close)
        self.open_control(
            metrics=self._metrics, drain=self._state.drain, undrain=self._state.undrain
        )
        log.info(
            "routing server %s listens on %s port %d, device %s, codec %s, offloads %s",
            server.server_id,
            server.bind_address,
            server.bind_port,
            self._tun.name,
            self.codec.name,
            ", ".join(self._offloads()) or "none",
        )

    def _open_socket(self, address: str, port: int) -> UdpSocket:
        inherited = self.store.take(_SOCKET)
        opened = UdpSocket.adopt(inherited, address, port) if inherited is not None else None
        if opened is None:
            if inherited is not None:
                self.store.drop_now(_SOCKET)  # it may be at the same port
            opened = UdpSocket(address, port)
            self.store.keep(_SOCKET, opened.fd)
        self.cleanup.callback(opened.close)
        return opened

    def _forward(self) -> None:
        """Turn forwarding on, and off at the end where it was off before this or an earlier run."""
        changed = [str(path) for path in forwarding.enable()]
        changed += self.notes.get(_FORWARDING) or []
        self.notes.put(_FORWARDING, changed)
        self.undo(forwarding.restore, [Path(path) for path in changed])

    def announce_restart(self) -> None:
        self._state.announce_restart()

    def restart_keys(self, config: RoutingServerConfig) -> dict[str, object]:
        return {
            "server.server_id": config.server.server_id,
            "server.bind_address": config.server.bind_address,
            "server.bind_port": config.server.bind_port,
            "tunnel.interface_name": config.tunnel.interface_name,
            "tunnel.tun_ipv4": config.tunnel.tun_ipv4,
            "tunnel.tun_ipv6": config.tunnel.tun_ipv6,
        }

    def log_file(self, config: RoutingServerConfig) -> Path | None:
        return config.server.log_file

    def take_over(self, config: RoutingServerConfig) -> None:
        self._state.configure(config)
        self._policy.configure(config)

    def tend(self) -> None:
        self._policy.expire()
        self._state.tend()

    def status(self) -> dict[str, Any]:
        now = time.monotonic()
        return {
            "id": self.config.server.server_id,
            "name": self.config.server.name,
            "tunnel_id": self.config.server.tunnel_id,
            "offloads": self._offloads(),
            **self._state.status(),
            "tunnels": [
                {
                    "endpoint_id": device.claim.endpoint_id,
                    "up": device.up(now),
                    "active": device.active and device.up(now),
                    "rtt_ms": None,
                    "since": device.since,
                    "address": describe(device.current.path.peer or ()),
                    "tun_ipv4": str(device.claim.tun_ipv4),
                    "tun_ipv6": str(device.claim.tun_ipv6),
                    **key_of(device.current),
                }
                for device in self._policy.table
                if device.current is not None
            ],
        }

    def _offloads(self) -> list[str]:
        return [*self._tun.offloads, *self._socket.offloads]

    def _metrics(self, _: dict[str, Any]) -> dict[str, Any]:
        figures = self.engine.figures
        return {
            "active_tunnels": self._policy.table.count_up(time.monotonic()),
            "total_rx_packets": figures.rx_packets,
            "total_tx_packets": figures.tx_packets,
            "rx_bytes": figures.rx_bytes,
            "tx_bytes": figures.tx_bytes,
            **self._state.metrics(),
        }
