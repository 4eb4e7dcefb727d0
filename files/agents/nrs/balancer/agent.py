"""The load balancer as a process."""

from __future__ import annotations

import gc
import logging
import secrets
import socket
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from nrs.api import daemon, service
from nrs.api.daemon import Daemon
from nrs.balancer.config import LoadBalancerConfig
from nrs.balancer.http.app import create_app
from nrs.balancer.http.servers import server
from nrs.balancer.keep.shared import SharedStore
from nrs.balancer.keep.store import StoreDamaged
from nrs.balancer.keeper import Keeper
from nrs.balancer.live import LiveBalancer
from nrs.balancer.sharer import Sharer
from nrs.config import pushed
from nrs.config.loader import load

UNIT = "load_balancer"
_COLLECTIONS = (10_000, 20, 200)
"""A full collection looks at all that is known of every endpoint, a tenth of a second for
100,000, and finds nothing there: none of it refers to itself."""

log = logging.getLogger(__name__)


def run(config_path: Path) -> int:
    """Serve until SIGTERM or SIGINT; the exit status, 2 when it cannot start as configured."""
    return daemon.run(lambda: _start(config_path))


def _start(path: Path) -> Daemon:
    gc.set_threshold(*_COLLECTIONS)
    config = load(path, LoadBalancerConfig)
    section = f"{path}: server"
    daemon.open_log(config.server.log_file, section)
    listener = daemon.open_listener(config.server.bind_address, config.server.bind_port, section)
    directory = pushed.state_directory(UNIT)
    balancer = LiveBalancer(config, directory)
    cleanup = ExitStack()
    keeper = _keeper(balancer, directory, config.state.store_interval)
    if keeper is not None:
        keeper.start()
        cleanup.callback(keeper.stop)
    if config.state.url is not None:
        cleanup.callback(_shared(balancer, config.state.url, config.state.password).stop)
    app = create_app(balancer, config.api)

    def reload() -> None:
        new = load(path, LoadBalancerConfig)
        daemon.open_log(new.server.log_file, section)
        if _bound(new) != _bound(config):
            log.warning("a changed bind_address or bind_port needs a restart")
        if new.state.url != config.state.url or new.state.password != config.state.password:
            log.warning("a changed state.url or its password needs a restart")
        if keeper is not None:
            keeper.interval = new.state.store_interval
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

    return Daemon(
        UNIT,
        app,
        listener,
        {"status": status},
        reload=reload,
        tick=balancer.watch,
        stopped=cleanup.close,
    )


def _keeper(balancer: LiveBalancer, directory: Path | None, interval: float) -> Keeper | None:
    if directory is None:
        return None
    try:
        directory.mkdir(parents=True, exist_ok=True)
        return Keeper(balancer, directory, interval)
    except (OSError, StoreDamaged) as error:
        log.error("decisions cannot be stored, a restart will lose them: %s", error)
        return None


def _shared(balancer: LiveBalancer, url: str, password: str | None) -> Sharer:
    sharer = Sharer(balancer, SharedStore(url, password, secrets.token_hex(8)), url)
    sharer.start()
    return sharer


def _bound(config: LoadBalancerConfig) -> tuple[object, int]:
    return config.server.bind_address, config.server.bind_port
