"""The routing server: start, serve, reload, stop."""

from __future__ import annotations

import logging
import signal
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from nrs.config.loader import ConfigError, load
from nrs.router.config import RoutingServerConfig
from nrs.router.policy import RouterPolicy
from nrs.system import forwarding, logs, nftables, systemd
from nrs.system.companion import Companion
from nrs.system.control import ControlThread, socket_path
from nrs.system.links import LinkError, Links
from nrs.tunnel import codec
from nrs.tunnel.engine import Engine
from nrs.tunnel.loop import SWITCH_INTERVAL_S, PacketLoop
from nrs.tunnel.tun_device import GSO_MAX_BYTES, GSO_MAX_SEGMENTS, TunDevice
from nrs.tunnel.udp_socket import UdpSocket
from nrs.tunnel.wire import INNER_MTU

log = logging.getLogger(__name__)

UNIT = "routing_server"
_TEND_INTERVAL_S = 1.0


def run(config_path: Path) -> int:
    """Run in the foreground until SIGTERM; the exit status."""
    try:
        config = load(config_path, RoutingServerConfig)
        logs.configure(config.server.log_file)
    except (ConfigError, OSError) as error:
        print(error, file=sys.stderr)
        return 2
    sys.setswitchinterval(SWITCH_INTERVAL_S)
    with ExitStack() as cleanup:
        try:
            agent = RoutingServer(config_path, config, cleanup)
        except (OSError, LinkError, nftables.NftablesError) as error:
            log.error("cannot start: %s", error)
            return 1
        agent.serve()
    log.info("stopped")
    return 0


class RoutingServer:
    """Owns the devices, sockets and helpers of a running routing server."""

    def __init__(self, config_path: Path, config: RoutingServerConfig, cleanup: ExitStack) -> None:
        """What is set up is undone by `cleanup`. Raises OSError, LinkError, NftablesError."""
        self._path = config_path
        self._config = config
        tunnel = config.tunnel
        self._loop = PacketLoop()
        cleanup.callback(self._loop.close)
        self._links = Links()
        cleanup.callback(self._links.close)
        if self._links.index(config.server.egress_interface) is None:
            log.warning("egress interface %s is not there yet", config.server.egress_interface)
        self._socket = UdpSocket(str(config.server.bind_address), config.server.bind_port)
        cleanup.callback(self._socket.close)
        self._tun = TunDevice(tunnel.interface_name)
        cleanup.callback(self._tun.close)
        self._links.bring_up(
            self._tun.name, mtu=INNER_MTU, gso_bytes=GSO_MAX_BYTES, gso_segments=GSO_MAX_SEGMENTS
        )
        self._links.add_address(self._tun.name, tunnel.tun_ipv4)
        self._links.add_address(self._tun.name, tunnel.tun_ipv6)
        cleanup.callback(forwarding.restore, forwarding.enable())
        cleanup.callback(self._remove_nat)
        self._install_nat()
        self._policy = RouterPolicy(config, self._links)
        self._engine = Engine(self._tun, self._loop, self._policy)
        self._engine.add_socket(self._socket)
        self._policy.start(self._engine)
        cleanup.callback(self._policy.close)
        socket = socket_path(UNIT)
        self._control = ControlThread(socket, {"status": self._status, "metrics": self._metrics})
        self._control.start()
        cleanup.callback(self._control.stop)
        self._companion = Companion("nrs.router.reporter", config_path, socket)
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
        address = self._socket.local_address
        log.info(
            "routing server %s listens on [%s]:%d, device %s, codec %s, offloads %s",
            self._config.server.server_id,
            address[0],
            address[1],
            self._tun.name,
            codec.NAME,
            ", ".join(self._offloads()) or "none",
        )
        systemd.ready(f"serving on port {address[1]}")
        self._loop.run()
        systemd.stopping()

    def _install_nat(self) -> None:
        nftables.install(
            nftables.nat_ruleset(
                self._config.tunnel.interface_name, self._config.server.egress_interface
            )
        )

    def _remove_nat(self) -> None:
        try:
            nftables.remove()
        except nftables.NftablesError as error:
            log.warning("%s", error)

    def _tend(self) -> None:
        self._policy.expire()
        self._companion.tend()
        self._loop.call_later(_TEND_INTERVAL_S, self._tend)

    def _reload(self) -> None:
        systemd.reloading()
        try:
            config = load(self._path, RoutingServerConfig)
            kept = _needs_restart(self._config, config)
            if kept:
                log.warning("not reloaded: %s changed, which takes a restart", ", ".join(kept))
            else:
                logs.configure(config.server.log_file)
                self._config = config
                self._policy.configure(config)
                self._install_nat()
                self._companion.restart()
                log.info("configuration reloaded")
        except (ConfigError, OSError, nftables.NftablesError) as error:
            log.error("not reloaded, the configuration in force stays: %s", error)
        systemd.ready("serving")

    def _offloads(self) -> list[str]:
        names = list(self._tun.offloads)
        if self._socket.segmentation:
            names.append("udp_segment")
        if self._socket.coalescing:
            names.append("udp_gro")
        return names

    def _status(self, _: dict[str, Any]) -> dict[str, Any]:
        now = time.monotonic()
        return {
            "role": UNIT,
            "id": self._config.server.server_id,
            "name": self._config.server.name,
            "codec": codec.NAME,
            "offloads": self._offloads(),
            "tunnels": [
                {
                    "endpoint_id": device.claim.endpoint_id,
                    "up": device.up(now),
                    "active": device.active and device.up(now),
                    "rtt_ms": None,
                    "since": device.since,
                    "tun_ipv4": str(device.claim.tun_ipv4),
                    "tun_ipv6": str(device.claim.tun_ipv6),
                }
                for device in self._policy.table
                if device.current is not None
            ],
            "figures": self._engine.figures.as_dict(),
            "longest_turn_ms": round(self._loop.longest_turn_s * 1000, 2),
        }

    def _metrics(self, _: dict[str, Any]) -> dict[str, Any]:
        figures = self._engine.figures
        return {
            "active_tunnels": self._policy.table.count_up(time.monotonic()),
            "total_rx_packets": figures.rx_packets,
            "total_tx_packets": figures.tx_packets,
            "rx_bytes": figures.rx_bytes,
            "tx_bytes": figures.tx_bytes,
        }


def _needs_restart(old: RoutingServerConfig, new: RoutingServerConfig) -> list[str]:
    """The changed keys that a running agent cannot take over."""
    pairs = {
        "server.server_id": (old.server.server_id, new.server.server_id),
        "server.bind_address": (old.server.bind_address, new.server.bind_address),
        "server.bind_port": (old.server.bind_port, new.server.bind_port),
        "tunnel.interface_name": (old.tunnel.interface_name, new.tunnel.interface_name),
        "tunnel.tun_ipv4": (old.tunnel.tun_ipv4, new.tunnel.tun_ipv4),
        "tunnel.tun_ipv6": (old.tunnel.tun_ipv6, new.tunnel.tun_ipv6),
    }
    return [key for key, (before, after) in pairs.items() if before != after]
