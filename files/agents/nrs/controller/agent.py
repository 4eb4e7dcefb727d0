"""The network controller as a process."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from sqlalchemy.exc import SQLAlchemyError

from nrs.agent.run import Start
from nrs.agent.service_agent import ServiceAgent
from nrs.config.loader import ConfigError
from nrs.controller import views
from nrs.controller.config import NetworkControllerConfig
from nrs.controller.database import Database, StorageError, default_url
from nrs.controller.events import Events
from nrs.controller.http.app import create_app
from nrs.controller.registry import Registry

_FLUSH_INTERVAL_S = 10.0


class NetworkController(ServiceAgent[NetworkControllerConfig]):
    """A running controller."""

    UNIT = "network_controller"
    SECTION = "controller"

    def __init__(self, start: Start[NetworkControllerConfig]) -> None:
        """Raises ConfigError, OSError."""
        super().__init__(start)
        config = start.config
        self.listen(config.controller.bind_address, config.controller.bind_port)
        try:
            database = Database(config.storage.url or default_url())
        except StorageError as error:
            raise ConfigError(f"{self.path}: storage: {error}") from None
        self._registry = Registry(database, config, time.time)
        self.cleanup.callback(self._registry.close)
        self._flush = every(_FLUSH_INTERVAL_S, self._registry.flush, time.monotonic)
        trust = self.trust(config.api)
        self.offer(create_app(trust, self._registry, Events(database), time.time))

    @staticmethod
    def model() -> type[NetworkControllerConfig]:
        return NetworkControllerConfig

    def fixed(self, config: NetworkControllerConfig) -> dict[str, object]:
        controller = config.controller
        bound = controller.bind_address, controller.bind_port, config.storage.url
        return {"bind_address, bind_port or storage": bound}

    def take_over(self, config: NetworkControllerConfig) -> None:
        try:
            self._registry.configure(config)
        except SQLAlchemyError as error:
            raise ConfigError(f"{self.path}: ip_allocation: the registry failed: {error}") from None

    def tick(self) -> None:
        """Write what was reported, now and then."""
        self._flush()

    def status(self) -> dict[str, Any]:
        """The devices. Raises ValueError."""
        try:
            devices = self._registry.devices()
        except SQLAlchemyError as error:
            raise ValueError(f"the registry's storage failed: {error}") from None
        now = time.time()
        return {"devices": [views.summary(device, now) for device in devices]}


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
