"""The load balancer as a process."""

from __future__ import annotations

import gc
import logging
import secrets
from pathlib import Path
from typing import Any

from nrs.agent.run import Start
from nrs.agent.service_agent import ServiceAgent
from nrs.balancer.config import LoadBalancerConfig
from nrs.balancer.http.app import create_app
from nrs.balancer.http.servers import server
from nrs.balancer.keep.shared import SharedStore
from nrs.balancer.keep.store import StoreDamaged
from nrs.balancer.keeper import Keeper
from nrs.balancer.live import LiveBalancer
from nrs.balancer.sharer import Sharer
from nrs.config import pushed

COLLECTIONS = (10_000, 20, 200)
"""A full collection looks at all that is known of every endpoint, a tenth of a second for
100,000, and finds nothing there: none of it refers to itself."""

log = logging.getLogger(__name__)


class LoadBalancer(ServiceAgent[LoadBalancerConfig]):
    """A running load balancer."""

    UNIT = "load_balancer"
    SECTION = "server"

    def __init__(self, start: Start[LoadBalancerConfig]) -> None:
        """Raises OSError."""
        super().__init__(start)
        gc.set_threshold(*COLLECTIONS)
        config = start.config
        self.listen(config.server.bind_address, config.server.bind_port)
        directory = pushed.state_directory(self.UNIT)
        self._balancer = LiveBalancer(config, directory)
        self.cleanup.callback(self._balancer.close)
        self._keeper = self._keep(directory)
        if config.state.url is not None:
            store = SharedStore(config.state.url, config.state.password, secrets.token_hex(8))
            sharer = Sharer(self._balancer, store, config.state.url)
            sharer.start()
            self.cleanup.callback(sharer.stop)
        self.offer(create_app(self._balancer, self.trust(config.api)))

    def _keep(self, directory: Path | None) -> Keeper | None:
        if directory is None:
            return None
        try:
            directory.mkdir(parents=True, exist_ok=True)
            keeper = Keeper(self._balancer, directory, self.config.state.store_interval)
        except (OSError, StoreDamaged) as error:
            log.error("decisions cannot be stored, a restart will lose them: %s", error)
            self._balancer.unstored = "decisions are not stored: their file could not be opened"
            return None
        keeper.start()
        self.cleanup.callback(keeper.stop)
        return keeper

    @staticmethod
    def model() -> type[LoadBalancerConfig]:
        return LoadBalancerConfig

    def fixed(self, config: LoadBalancerConfig) -> dict[str, object]:
        server, state = config.server, config.state
        return {
            "bind_address or bind_port": (server.bind_address, server.bind_port),
            "state.url or its password": (state.url, state.password),
        }

    def take_over(self, config: LoadBalancerConfig) -> None:
        if self._keeper is not None:
            self._keeper.interval = config.state.store_interval
        self._balancer.configure(config)

    def tick(self) -> None:
        self._balancer.watch()

    def status(self) -> dict[str, Any]:
        """The routing servers."""
        return {"servers": [server(view) for view in self._balancer.routers()]}
