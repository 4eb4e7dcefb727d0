"""The access endpoint's shell: TUN device, routes and tunnels."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar

from nrs.agent.shell import PacketAgent, run_agent
from nrs.config.pushed import Pushed, state_directory
from nrs.endpoint import event_command, event_file
from nrs.endpoint.config import NetworkAccessEndpointConfig
from nrs.endpoint.continuity import Continuity
from nrs.endpoint.events import SwitchLog
from nrs.endpoint.flow_memory import FlowMemory
from nrs.endpoint.liveness import State
from nrs.endpoint.policy import EndpointPolicy
from nrs.system.addresses import Addresses
from nrs.system.link_events import LinkEvents
from nrs.system.links import LinkError
from nrs.tunnel.engine import Engine
from nrs.tunnel.session import key_of

log = logging.getLogger(__name__)

UNIT = "network_access_endpoint"
_FLOWS = "flows"


def run(config_path: Path) -> int:
    """Run in the foreground until SIGTERM; the exit status."""

    def start(
        stored: Pushed, config: NetworkAccessEndpointConfig, cleanup: ExitStack
    ) -> Callable[[], None]:
        agent = NetworkAccessEndpoint(
            config_path, NetworkAccessEndpointConfig, stored, config, cleanup
        )
        agent.set_up()
        return lambda: agent.serve("serving")

    return run_agent(
        config_path,
        NetworkAccessEndpointConfig,
        UNIT,
        lambda config: config.endpoint.log_file,
        start,
    )


class NetworkAccessEndpoint(PacketAgent[NetworkAccessEndpointConfig]):
    """A running endpoint."""

    UNIT: ClassVar[str] = UNIT
    COMPANION: ClassVar[str] = "nrs.endpoint.reporter"

    def set_up(self) -> None:
        """Raises OSError, LinkError."""
        tunnel = self.config.tunnel
        self._tun = self.open_device(tunnel.interface_name, tunnel.tun_ipv4, tunnel.tun_ipv6)
        self._switches = self._kept_switches()
        flows = FlowMemory(self.store.take(_FLOWS))
        self.keep(_FLOWS, flows.file)
        self._policy = EndpointPolicy(
            self.config,
            self.loop,
            self._follow_addresses(),
            switches=self._switches,
            continuity=Continuity(self.store, flows, self.notes),
        )
        self.engine = Engine(self._tun, self.loop, self._policy, self.codec, self.memory)
        self.undo(self._policy.close)
        self._policy.start(self.engine)
        self.undo(self._remove_routes)
        self._add_routes(self.config)
        for network in self.links.routes(self._tun.name) - set(tunnel.routes):
            self.links.remove_route(network, self._tun.name)
        self.open_control(
            advise=self._advise,
            traffic=self._traffic,
            events=lambda request: event_command.answer(self._switches, request),
        )
        log.info(
            "endpoint %s: device %s, tunnels to %s, codec %s, offloads %s",
            self.config.endpoint.endpoint_id,
            self._tun.name,
            ", ".join(self._policy.tunnels),
            self.codec.name,
            ", ".join(self._offloads()) or "none",
        )

    def _follow_addresses(self) -> Addresses:
        """The addresses of this host's interfaces, kept up to date from the packet loop."""
        events, addresses = LinkEvents(), Addresses()
        self.cleanup.callback(events.close)
        addresses.take(events.first())
        self.loop.add_reader(events.fileno(), lambda: addresses.take(events.read()))
        return addresses

    def _kept_switches(self) -> SwitchLog:
        """The switches of earlier runs; those of this one are written beside them."""
        directory = state_directory(UNIT)
        switches = SwitchLog(start=event_file.read(directory))
        writer = event_file.EventWriter(directory, switches)
        writer.start()
        self.end_beside(writer.stop)
        return switches

    def restart_keys(self, config: NetworkAccessEndpointConfig) -> dict[str, object]:
        return {
            "endpoint.endpoint_id": config.endpoint.endpoint_id,
            "tunnel.interface_name": config.tunnel.interface_name,
            "tunnel.tun_ipv4": config.tunnel.tun_ipv4,
            "tunnel.tun_ipv6": config.tunnel.tun_ipv6,
        }

    def log_file(self, config: NetworkAccessEndpointConfig) -> Path | None:
        return config.endpoint.log_file

    def take_over(self, config: NetworkAccessEndpointConfig) -> None:
        self._add_routes(config)
        for network in set(self.config.tunnel.routes) - set(config.tunnel.routes):
            self.links.remove_route(network, self._tun.name)
        self._policy.configure(config)

    def announce_restart(self) -> None:
        """Routers need not know: what they send waits in the sockets."""

    def tend(self) -> None:
        self._policy.tend()

    def _add_routes(self, config: NetworkAccessEndpointConfig) -> None:
        tunnel = config.tunnel
        for network in tunnel.routes:
            own = tunnel.tun_ipv4.ip if network.version == 4 else tunnel.tun_ipv6.ip
            self.links.add_route(network, self._tun.name, own)

    def _remove_routes(self) -> None:
        for network in self.config.tunnel.routes:
            try:
                self.links.remove_route(network, self._tun.name)
            except LinkError as error:
                log.warning("%s", error)

    def status(self) -> dict[str, Any]:
        policy = self._policy
        return {
            "id": self.config.endpoint.endpoint_id,
            "name": self.config.endpoint.name,
            "offloads": self._offloads(),
            "tunnels": [
                {
                    "router_id": tunnel.router_id,
                    "up": tunnel.liveness.state is State.UP,
                    "active": tunnel.router_id == policy.active,
                    "rtt_ms": tunnel.rtt_ms,
                    "since": tunnel.state_since,
                    "state": tunnel.liveness.state.value,
                    **key_of(tunnel.session),
                }
                for tunnel in list(policy.tunnels.values())
            ],
        }

    def _offloads(self) -> list[str]:
        names = list(self._tun.offloads)
        for tunnel in list(self._policy.tunnels.values()):
            names += [name for name in tunnel.offloads if name not in names]
        return names

    def _traffic(self, _: dict[str, Any]) -> dict[str, int]:
        figures = self.engine.figures
        return {"rx_bytes": figures.rx_bytes, "tx_bytes": figures.tx_bytes}

    def _advise(self, request: dict[str, Any]) -> dict[str, Any]:
        router_id = request.get("router_id")
        if not isinstance(router_id, str) or router_id not in self._policy.tunnels:
            raise ValueError(f"router_id: {router_id!r} is not one of this endpoint's routers")
        self.loop.wake(lambda: self._policy.advise(router_id))
        return {}
