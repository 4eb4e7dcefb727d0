"""The network controller as a process."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from nrs.api import daemon, service
from nrs.api.daemon import Daemon
from nrs.config.loader import ConfigError, load
from nrs.controller import views
from nrs.controller.config import NetworkControllerConfig
from nrs.controller.database import Database, StorageError, default_url
from nrs.controller.events import Events
from nrs.controller.http.app import create_app
from nrs.controller.registry import Registry

UNIT = "network_controller"
_FLUSH_INTERVAL_S = 10.0

log = logging.getLogger(__name__)


def run(config_path: Path) -> int:
    """Serve until SIGTERM or SIGINT; the exit status, 2 when it cannot start as configured."""
    with contextlib.ExitStack() as at_end:
        return daemon.run(lambda: _start(config_path, at_end))


def _start(path: Path, at_end: contextlib.ExitStack) -> Daemon:
    config = load(path, NetworkControllerConfig)
    section = f"{path}: controller"
    daemon.open_log(config.controller.log_file, section)
    listener = daemon.open_listener(
        config.controller.bind_address, config.controller.bind_port, section
    )
    try:
        database = Database(config.storage.url or default_url())
    except StorageError as error:
        listener.close()
        raise ConfigError(f"{path}: storage: {error}") from None
    registry = Registry(database, config, time.time)
    at_end.callback(registry.close)
    app = create_app(config.api, registry, Events(database), time.time)

    def reload() -> None:
        new = load(path, NetworkControllerConfig)
        daemon.open_log(new.controller.log_file, section)
        if _fixed(new) != _fixed(config):
            log.warning("a changed bind_address, bind_port or storage needs a restart")
        try:
            registry.configure(new)
        except SQLAlchemyError as error:
            raise ConfigError(f"{path}: ip_allocation: the registry failed: {error}") from None
        service.trust(app, new.api)

    def status(_request: dict[str, Any]) -> dict[str, Any]:
        try:
            devices = registry.devices()
        except SQLAlchemyError as error:
            raise ValueError(f"the registry's storage failed: {error}") from None
        now = time.time()
        return daemon.status(UNIT, devices=[views.summary(device, now) for device in devices])

    tick = every(_FLUSH_INTERVAL_S, registry.flush, time.monotonic)
    return Daemon(UNIT, app, listener, {"status": status}, reload=reload, tick=tick)


def _fixed(config: NetworkControllerConfig) -> tuple[object, ...]:
    """What cannot change while the agent runs."""
    controller = config.controller
    return controller.bind_address, controller.bind_port, config.storage.url


def every(
    seconds: float, action: Callable[[], None], clock: Callable[[], float]
) -> Callable[[], None]:
    """Calls `action` at most once in `seconds`, however often it is called itself."""
    due = clock() + seconds

    def tick() -> None:
        nonlocal due
        if clock() >= due:
            action()
            due = clock() + seconds

    return tick
