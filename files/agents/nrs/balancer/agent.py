"""The load balancer as a process."""

from __future__ import annotations

import logging
import socket
from pathlib import Path
from typing import Any

from nrs.api import daemon, service
from nrs.api.daemon import Daemon
from nrs.balancer.api import create_app, server
from nrs.balancer.config import LoadBalancerConfig
from nrs.balancer.live import LiveBalancer
from nrs.config import pushed
from nrs.config.loader import load

UNIT = "load_balancer"

log = logging.getLogger(__name__)


def run(config_path: Path) -> int:
    """Serve until SIGTERM or SIGINT; the exit status, 2 when it cannot start as configured."""
    return daemon.run(lambda: _start(config_path))


def _start(path: Path) -> Daemon:
    config = load(path, LoadBalancerConfig)
    section = f"{path}: server"
    daemon.open_log(config.server.log_file, section)
    listener = daemon.open_listener(config.server.bind_address, config.server.bind_port, section)
    balancer = LiveBalancer(config, pushed.state_directory(UNIT))
    app = create_app(balancer, config.api)

    def reload() -> None:
        new = load(path, LoadBalancerConfig)
        daemon.open_log(new.server.log_file, section)
        if _bound(new) != _bound(config):
            log.warning("a changed bind_address or bind_port needs a restart")
        balancer.configure(new)
        service.trust(app, new.api)

    def status(_request: dict[str, Any]) -> dict[str, Any]:
        return {
            "role": UNIT,
            "id": socket.gethostname(),
            "codec": None,
            "offloads": [],
            "tunnels": [],
            "servers": [server(view) for view in balancer.routers()],
        }

    return Daemon(UNIT, app, listener, {"status": status}, reload=reload, tick=balancer.watch)


def _bound(config: LoadBalancerConfig) -> tuple[object, int]:
    return config.server.bind_address, config.server.bind_port
