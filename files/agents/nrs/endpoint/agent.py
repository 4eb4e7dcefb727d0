"""The network access endpoint: start, serve, reload, stop."""

from __future__ import annotations

import logging
import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from nrs.config.loader import ConfigError, load
from nrs.endpoint.config import NetworkAccessEndpointConfig
from nrs.endpoint.liveness import State
from nrs.endpoint.policy import EndpointPolicy
from nrs.system import logs, systemd
from nrs.system.companion import Companion
from nrs.system.control import ControlThread, socket_path
from nrs.system.links import LinkError, Links
from nrs.tunnel import codec
from nrs.tunnel.engine import Engine
from nrs.tunnel.loop import SWITCH_INTERVAL_S, PacketLoop
from nrs.tunnel.tun_device import GSO_MAX_BYTES, GSO_MAX_SEGMENTS, TunDevice
from nrs.tunnel.wire import INNER_MTU

log = logging.getLogger(__name__)

UNIT = "network_access_endpoint"
_TEND_INTERVAL_S = 1.0


def run(config_path: Path) -> int:
    """Run in the foreground until SIGTERM; the exit status."""
    try:
        config = load(config_path, NetworkAccessEndpointConfig)
        logs.configure(config.endpoint.log_file)
    except (ConfigError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with ExitStack() as cleanup:
        try:
            agent = NetworkAccessEndpoint(config_path, config, cleanup)
        except (OSError, LinkError) as error:
            log.error("cannot start: %s", error)
            return 1
        agent.serve()
    log.info("stopped")
    return 0


class NetworkAccessEndpoint:
    """Owns the device, the tunnels and the helper of a running endpoint."""

    def __init__(
        self, config_path: Path, config: NetworkAccessEndpointConfig, cleanup: ExitStack
    ) -> None:
        """What is set up is undone by `cleanup`. Raises OSError, LinkError."""
        self._path = config_path
        self._config = config
        tunnel = config.tunnel
        self._loop = PacketLoop()
        cleanup.callback(self._loop.close)
        self._links = Links()
        cleanup.callback(self._links.close)
        self._tun = TunDevice(tunnel.interface_name)
        cleanup.callback(self._tun.close)
        self._links.bring_up(
            self._tun.name, mtu=INNER_MTU, gso_bytes=GSO_MAX_BYTES, gso_segments=GSO_MAX_SEGMENTS
        )
        self._links.add_address(self._tun.name, tunnel.tun_ipv4)
        self._links.add_address(self._tun.name, tunnel.tun_ipv6)
        self._policy = EndpointPolicy(config, self._loop, self._links)
        self._engine = Engine(self._tun, self._loop, self._policy)
        cleanup.callback(self._policy.close)
        self._policy.start(self._engine)
        cleanup.callback(self._remove_routes)
        self._add_routes()
        socket = socket_path(UNIT)
        self._control = ControlThread(socket, {"status": self._status, "advise": self._advise})
        self._control.start()
        cleanup.callback(self._control.stop)
        self._companion = Companion("nrs.endpoint.reporter", config_path, socket)
        cleanup.callback(self._companion.stop)

    def serve(self) -> None:
        """Carry packets until told to stop."""
        for number, action in (
            (signal.SIGTERM, self._loop.stop),
            (signal.SIGINT, self._loop.stop),
            (signal.SIGHUP, self._reload),
        ):
            signal.signal(number, lambda *_, action=action: self._loop.wake(action))
        self._companion.start()
        self._tend()
        log.info(
            "endpoint %s: device %s, tunnels to %s, codec %s, offloads %s",
            self._config.endpoint.endpoint_id,
            self._tun.name,
            ", ".join(self._policy.tunnels),
            codec.NAME,
            ", ".join(self._tun.offloads) or "none",
        )
        systemd.ready("serving")
        self._loop.run()
        systemd.stopping()

    def _add_routes(self) -> None:
        tunnel = self._config.tunnel
        for network in tunnel.routes:
            own = tunnel.tun_ipv4.ip if network.version == 4 else tunnel.tun_ipv6.ip
            self._links.add_route(network, self._tun.name, own)

    def _remove_routes(self) -> None:
        for network in self._config.tunnel.routes:
            try:
                self._links.remove_route(network, self._tun.name)
            except LinkError as error:
                log.warning("%s", error)

    def _tend(self) -> None:
        self._companion.tend()
        self._loop.call_later(_TEND_INTERVAL_S, self._tend)

    def _reload(self) -> None:
        systemd.reloading()
        try:
            config = load(self._path, NetworkAccessEndpointConfig)
            kept = _needs_restart(self._config, config)
            if kept:
                log.warning("not reloaded: %s changed, which takes a restart", ", ".join(kept))
            else:
                self._take_over(config)
                log.info("configuration reloaded")
        except (ConfigError, OSError, LinkError) as error:
            log.error("not reloaded, the configuration in force stays: %s", error)
        systemd.ready("serving")

    def _take_over(self, config: NetworkAccessEndpointConfig) -> None:
        logs.configure(config.endpoint.log_file)
        gone = set(self._config.tunnel.routes) - set(config.tunnel.routes)
        self._config = config
        self._add_routes()
        for network in gone:
            self._links.remove_route(network, self._tun.name)
        self._policy.configure(config)
        self._companion.restart()

    def _status(self, _: dict[str, Any]) -> dict[str, Any]:
        policy = self._policy
        return {
            "role": UNIT,
            "id": self._config.endpoint.endpoint_id,
            "name": self._config.endpoint.name,
            "codec": codec.NAME,
            "offloads": list(self._tun.offloads),
            "tunnels": [
                {
                    "router_id": tunnel.router_id,
                    "up": tunnel.liveness.state is State.UP,
                    "active": tunnel.router_id == policy.active,
                    "rtt_ms": tunnel.rtt_ms,
                    "since": tunnel.state_since,
                    "state": tunnel.liveness.state.value,
                }
                for tunnel in list(policy.tunnels.values())
            ],
            "figures": self._engine.figures.as_dict(),
            "longest_turn_ms": round(self._loop.longest_turn_s * 1000, 2),
        }

    def _advise(self, request: dict[str, Any]) -> dict[str, Any]:
        router_id = request.get("router_id")
        if not isinstance(router_id, str) or router_id not in self._policy.tunnels:
            raise ValueError(f"router_id: {router_id!r} is not one of this endpoint's routers")
        self._loop.wake(lambda: self._policy.advise(router_id))
        return {}


def _needs_restart(old: NetworkAccessEndpointConfig, new: NetworkAccessEndpointConfig) -> list[str]:
    """The changed keys that a running agent cannot take over."""
    pairs = {
        "endpoint.endpoint_id": (old.endpoint.endpoint_id, new.endpoint.endpoint_id),
        "tunnel.interface_name": (old.tunnel.interface_name, new.tunnel.interface_name),
        "tunnel.tun_ipv4": (old.tunnel.tun_ipv4, new.tunnel.tun_ipv4),
        "tunnel.tun_ipv6": (old.tunnel.tun_ipv6, new.tunnel.tun_ipv6),
    }
    return [key for key, (before, after) in pairs.items() if before != after]
