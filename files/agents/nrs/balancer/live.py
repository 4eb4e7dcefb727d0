"""The load balancer as its threads share it: one lock, the real clocks, a log of changes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence

from nrs.api.messages import MetricsReport
from nrs.balancer.config import LoadBalancerConfig
from nrs.balancer.core import Balancer, Decision, RouterView
from nrs.balancer.registry import MISSED_REPORTS
from nrs.config.types import IPAddress

log = logging.getLogger(__name__)


class LiveBalancer:
    """A Balancer that may be used from any thread."""

    def __init__(
        self,
        config: LoadBalancerConfig,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self._lock = threading.Lock()
        self._clock = clock
        self.wall_clock = wall_clock
        self._config = config
        self._balancer = Balancer(config.algorithm, _stale_after(config))
        self._active: set[str] = set()

    @property
    def business_server_ip(self) -> IPAddress | None:
        """The server behind the routers, as configured."""
        return self._config.business_server.ip

    def configure(self, config: LoadBalancerConfig) -> None:
        """Go by another configuration; reports and decisions stay."""
        with self._lock:
            self._config = config
            self._balancer.configure(config.algorithm, _stale_after(config))

    def report(self, report: MetricsReport) -> float:
        """Take a report; the router's score. Raises as Balancer.report."""
        with self._lock:
            score = self._balancer.report(report, self._clock(), self.wall_clock())
            self._log_changes()
        return score

    def decide(self, endpoint_id: str, candidates: Sequence[str] | None) -> Decision:
        """The router for an endpoint. Raises as Balancer.decide."""
        with self._lock:
            decision = self._balancer.decide(endpoint_id, candidates, self._clock())
        previous = decision.previous
        chosen = decision.router.report.server_id
        if previous is not None and previous.router_id != chosen:
            log.info(
                "%s moves from %s to %s, score %.3f: %s",
                endpoint_id,
                previous.router_id,
                chosen,
                decision.score,
                decision.reason.value,
            )
        return decision

    def routers(self) -> list[RouterView]:
        """Every router that has reported, by id."""
        with self._lock:
            return self._balancer.routers(self._clock())

    def active_decisions(self) -> int:
        """How many endpoints have asked lately."""
        with self._lock:
            return self._balancer.active_decisions(self._clock())

    def watch(self) -> None:
        """Log the routers that fell silent or came back; call about once a second."""
        with self._lock:
            self._log_changes()

    def _log_changes(self) -> None:
        active = self._balancer.active_routers(self._clock())
        for router_id in sorted(active - self._active):
            log.info("%s is active", router_id)
        for router_id in sorted(self._active - active):
            log.warning(
                "%s has not reported for %.0f s: not active", router_id, _stale_after(self._config)
            )
        self._active = active


def _stale_after(config: LoadBalancerConfig) -> float:
    return MISSED_REPORTS * config.metrics.report_interval
