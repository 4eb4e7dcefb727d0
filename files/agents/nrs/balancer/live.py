"""The load balancer as its threads share it: one lock, the real clocks, a log of changes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from nrs.api.messages import MetricsReport
from nrs.balancer import states
from nrs.balancer.config import LoadBalancerConfig
from nrs.balancer.core import Balancer, Decision, RouterView
from nrs.balancer.recorder import Recorder
from nrs.balancer.recording import Asked
from nrs.balancer.standing import State, Status
from nrs.config.types import IPAddress

log = logging.getLogger(__name__)


class LiveBalancer:
    """A Balancer that may be used from any thread."""

    def __init__(
        self,
        config: LoadBalancerConfig,
        directory: Path | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        """`directory` keeps what has to outlive the process; None keeps nothing."""
        self._lock = threading.Lock()
        self._clock = clock
        self.wall_clock = wall_clock
        self._config = config
        self._balancer = Balancer(config.algorithm, config.metrics.report_interval)
        self._recorder = Recorder(config.metrics.record_file)
        self._directory = directory
        self._statuses: dict[str, Status] = {}
        try:
            self._balancer.restore_states(states.read(directory))
        except states.StatesDamaged as damage:
            log.error("the states that were set for routing servers are lost: %s", damage)

    @property
    def business_server_ip(self) -> IPAddress | None:
        """The server behind the routers, as configured."""
        return self._config.business_server.ip

    def configure(self, config: LoadBalancerConfig) -> None:
        """Go by another configuration; reports and decisions stay."""
        with self._lock:
            self._config = config
            if config.metrics.record_file != self._recorder.path:
                self._recorder.close()
                self._recorder = Recorder(config.metrics.record_file)
            self._balancer.configure(config.algorithm, config.metrics.report_interval)

    def report(self, report: MetricsReport) -> float:
        """Take a report; the router's score. Raises as Balancer.report."""
        with self._lock:
            score = self._balancer.report(report, self._clock(), self.wall_clock())
            self._recorder.note(report)
            self._log_changes()
        return score

    def decide(
        self,
        endpoint_id: str,
        candidates: Sequence[str] | None,
        current: str | None = None,
        mbps: float | None = None,
    ) -> Decision:
        """The router for an endpoint. Raises as Balancer.decide."""
        with self._lock:
            decision = self._balancer.decide(endpoint_id, candidates, current, self._clock(), mbps)
            if self._recorder.recording:
                self._recorder.note(
                    Asked(
                        endpoint_id=endpoint_id,
                        timestamp=self.wall_clock(),
                        router_id=decision.router.report.server_id,
                        candidates=None if candidates is None else list(candidates),
                        current=current,
                        mbps=mbps,
                    )
                )
        previous = decision.previous
        chosen = decision.router.report.server_id
        if previous is not None and previous != chosen:
            log.info(
                "%s moves from %s to %s, score %.3f: %s",
                endpoint_id,
                previous,
                chosen,
                decision.score,
                decision.reason.value,
            )
        return decision

    def set_state(self, router_id: str, state: State) -> tuple[RouterView | None, bool]:
        """Take and store what the operator sets; the router now, and whether it is a change.

        The view is None for a router that has not reported since the start. Raises
        UnknownRouter, and OSError where it cannot be stored: then nothing has changed.
        """
        with self._lock:
            before = self._balancer.states
            changed = self._balancer.set_state(router_id, state)
            if changed:
                try:
                    states.write(self._directory, self._balancer.states)
                except OSError:
                    self._balancer.restore_states(before)
                    raise
                log.info("%s is set to %s", router_id, state.value)
                self._log_changes()
            views = self._balancer.routers(self._clock())
        return next((v for v in views if v.router.report.server_id == router_id), None), changed

    def routers(self) -> list[RouterView]:
        """Every router that has reported, by id."""
        with self._lock:
            return self._balancer.routers(self._clock())

    def active_decisions(self) -> int:
        """How many endpoints have asked lately."""
        with self._lock:
            return self._balancer.active_decisions(self._clock())

    def watch(self) -> None:
        """Log the routers whose status has changed; call about once a second."""
        with self._lock:
            self._log_changes()
            self._recorder.flush()

    def _log_changes(self) -> None:
        present = {v.router.report.server_id: v for v in self._balancer.routers(self._clock())}
        for router_id, view in present.items():
            status, reason = view.standing.status, view.standing.reason
            if self._statuses.get(router_id) is status:
                continue
            if reason is None:
                log.info("%s is active", router_id)
            else:
                log.warning("%s is %s: %s", router_id, status.value, reason)
        self._statuses = {router_id: view.standing.status for router_id, view in present.items()}
