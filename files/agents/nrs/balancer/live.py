"""The load balancer as its threads share it: one lock, the real clocks, a log of changes."""

from __future__ import annotations

import heapq
import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from pydantic import ValidationError

from nrs.api.messages import MetricsReport
from nrs.balancer.config import LoadBalancerConfig
from nrs.balancer.decide.algorithm import Algorithm
from nrs.balancer.decide.balancer import Balancer, Decision, PastDecision, RouterView
from nrs.balancer.decide.registry import MISSED_REPORTS, RegistryFull, ReportRefused
from nrs.balancer.decide.rule import Reason
from nrs.balancer.decide.snapshot import KeptEndpoint
from nrs.balancer.decide.standing import Standing, State, Status
from nrs.balancer.keep import algorithm_set, states
from nrs.balancer.keep.algorithm_set import AlgorithmDamaged
from nrs.balancer.keep.feed import Feed
from nrs.balancer.keep.recorder import Recorder
from nrs.balancer.keep.recording import Asked
from nrs.balancer.keep.shared import SharedReport
from nrs.config.types import IPAddress

log = logging.getLogger(__name__)

_LATE = 1.5
"""Report intervals after which a router is taken not to reach this load balancer."""
_NEVER = float("-inf")
_AT_ONCE = 200
"""Endpoints that are looked at before others get their turn: a millisecond."""


@dataclass(frozen=True)
class InForce:
    """The algorithm in force, the file's, and what was set over it."""

    effective: Algorithm
    file: Algorithm
    set: dict[str, Any]


class Shared(Protocol):
    """The store that several load balancers share, as far as is told of it."""

    @property
    def error(self) -> str | None:
        """Why it is not reached; None where it is."""


class Listed(NamedTuple):
    """Where an endpoint is; times of the wall clock, None where it is not known."""

    endpoint_id: str
    router_id: str
    since: float | None
    asked_at: float


class Page(NamedTuple):
    """A part of the endpoints by id, and after which the next one begins."""

    total: int
    decisions: list[Listed]
    next: str | None


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
        self._recorder = Recorder(config.metrics.record_file)
        self._directory = directory
        self._statuses: dict[str, Status] = {}
        self._refusals: Counter[str] = Counter()
        self._feeds: list[Feed] = []
        self.decided: Counter[Reason] = Counter()
        self.moved = 0
        self.reported = 0
        self.shared: Shared | None = None
        self._reports: dict[str, SharedReport] = {}
        self._in_force = _over(config.algorithm, self._what_was_set())
        self._balancer = Balancer(self._in_force.effective, config.metrics.report_interval)
        try:
            self._balancer.restore_states(states.read(directory))
        except states.StatesDamaged as damage:
            log.error("the states that were set for routing servers are lost: %s", damage)

    @property
    def business_server_ip(self) -> IPAddress | None:
        """The server behind the routers, as configured."""
        return self._config.business_server.ip

    @property
    def algorithm(self) -> InForce:
        """What decides."""
        return self._in_force

    @property
    def refusals(self) -> Mapping[str, int]:
        """How many reports have been refused since the start, by what was wrong."""
        with self._lock:
            return {**self._balancer.refusals, **self._refusals}

    def count_refusal(self, kind: str) -> None:
        """Count a report that was refused before it got here."""
        with self._lock:
            self._refusals[kind] += 1

    def configure(self, config: LoadBalancerConfig) -> None:
        """Go by another configuration; reports, decisions and what was set stay."""
        with self._lock:
            self._config = config
            if config.metrics.record_file != self._recorder.path:
                self._recorder.close()
                self._recorder = Recorder(config.metrics.record_file)
            self._apply(_over(config.algorithm, self._in_force.set))

    def set_algorithm(self, what: dict[str, Any]) -> bool:
        """Lay these keys over the file's algorithm, in place of those before; whether a change.

        Raises ValidationError, and OSError where it cannot be stored: then nothing has changed.
        """
        with self._lock:
            file = self._config.algorithm
            effective = algorithm_set.over(file, what)
            if what == self._in_force.set:
                return False
            algorithm_set.write(self._directory, what)
            self._apply(InForce(effective, file, what))
        log.info("the algorithm is set to %s", effective.model_dump_json())
        return True

    def report(self, report: MetricsReport) -> float:
        """Take a report; the router's score. Raises as Balancer.report."""
        with self._lock:
            now = self._clock()
            score = self._balancer.report(report, now, self.wall_clock())
            self.reported += 1
            self._recorder.note(report)
            if self.shared is not None:
                self._reports[report.server_id] = SharedReport(report, self.wall_clock())
            view = self._balancer.router(report.server_id, now)
            if view is not None:
                self._log_change(report.server_id, view.standing)
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
            moves = previous is not None and previous != chosen
            self.decided[decision.reason] += 1
            self.moved += moves
            for feed in self._feeds:
                feed.note(endpoint_id, changed=decision.changed)
        if moves:
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
            return self._balancer.router(router_id, self._clock()), changed

    def routers(self) -> list[RouterView]:
        """Every router that has reported, by id."""
        with self._lock:
            return self._balancer.routers(self._clock())

    def active_decisions(self) -> int:
        """How many endpoints have asked lately."""
        with self._lock:
            return self._balancer.active_decisions(self._clock())

    def decisions(self, after: str | None, limit: int) -> Page:
        """The first `limit` endpoints by id that come after `after`."""
        ids = self.endpoint_ids()
        rest = ids if after is None else (other for other in ids if other > after)
        page = heapq.nsmallest(limit + 1, rest)
        with self._lock:
            entries = [(other, self._balancer.entry(other)) for other in page[:limit]]
        listed = [
            Listed(
                endpoint_id,
                entry.router_id,
                self.wall_time(entry.since),
                self.wall_time(entry.asked_at) or 0.0,
            )
            for endpoint_id, entry in entries
            if entry is not None
        ]
        return Page(len(ids), listed, page[limit - 1] if len(page) > limit else None)

    def explain(self, endpoint_id: str) -> list[PastDecision]:
        """The last decisions for an endpoint, oldest first. Raises UnknownEndpoint."""
        with self._lock:
            return self._balancer.explain(endpoint_id)

    def wall_time(self, when: float) -> float | None:
        """A time of a decision as seconds since 1970, to the millisecond; None for none."""
        if when == _NEVER:
            return None
        return round(self.wall_clock() - self._clock() + when, 3)

    def watch(self) -> None:
        """Log the routers whose status has changed; call about once a second."""
        with self._lock:
            self._log_changes()
            self._recorder.flush()

    # -- what outlives the process, and what others know

    def feed(self, round_s: float) -> Feed:
        """What endpoints' decisions are to be passed on, from now on."""
        feed = Feed(round_s)
        with self._lock:
            self._feeds.append(feed)
        return feed

    def take(self, feed: Feed, seconds: float | None) -> list[str]:
        """What `feed` has after `seconds`, or all of it."""
        with self._lock:
            return feed.take_all() if seconds is None else feed.take(seconds)

    def give_back(self, feed: Feed, ids: list[str]) -> None:
        """What was taken could not be passed on."""
        with self._lock:
            feed.again(ids)

    def endpoint_ids(self) -> list[str]:
        """All that are remembered, longest silent first."""
        with self._lock:
            return [endpoint_id for endpoint_id, _ in self._balancer.decisions(self._clock())]

    def dump_endpoints(self, ids: Sequence[str]) -> Iterator[dict[str, KeptEndpoint]]:
        """What is remembered of these endpoints, in parts between which others get their turn."""
        for start in range(0, len(ids), _AT_ONCE):
            with self._lock:
                part = self._balancer.dump_endpoints(
                    ids[start : start + _AT_ONCE], self._clock(), self.wall_clock()
                )
            yield part

    def dump_routers(self) -> dict[str, Any]:
        """What is remembered of the routers."""
        with self._lock:
            return self._balancer.dump_routers(self._clock(), self.wall_clock())

    def load(self, data: Any) -> None:
        """Begin with what was kept. Raises SnapshotDamaged.

        The operator's states are not taken from there: each is stored as it is set.
        """
        with self._lock:
            present = self._balancer.states
            self._balancer.load(data, self._clock(), self.wall_clock())
            self._balancer.restore_states(present)

    def adopt(self, endpoints: Iterable[tuple[str, KeptEndpoint]]) -> None:
        """Take over what other load balancers have decided, a few at once."""
        with self._lock:
            for endpoint_id, kept in endpoints:
                self._balancer.adopt(endpoint_id, kept, self._clock(), self.wall_clock())

    def share(self, shared: Shared) -> None:
        """From now on reports are collected for `take_reports`, and `shared` is told of."""
        with self._lock:
            self.shared = shared

    def take_reports(self) -> list[SharedReport]:
        """The last report of each router that has reported since the last time."""
        with self._lock:
            taken, self._reports = self._reports, {}
            return list(taken.values())

    def adopt_report(self, shared: SharedReport) -> None:
        """Take a report that another load balancer has got, if the router does not reach this one.

        Routers report to every load balancer: to take each report twice would count moves that
        it does not show as if it did.
        """
        with self._lock:
            now, wall = self._clock(), self.wall_clock()
            interval = self._config.metrics.report_interval
            known = self._balancer.router(shared.report.server_id, now)
            if wall - shared.received_at >= MISSED_REPORTS * interval:
                return
            if known is not None and (
                now - known.router.received_at < _LATE * interval
                or shared.report.timestamp <= known.router.report.timestamp
            ):
                return
            try:
                self._balancer.report(shared.report, now, wall)
            except (ReportRefused, RegistryFull):
                return

    # -- with the lock held

    def _apply(self, in_force: InForce) -> None:
        self._in_force = in_force
        self._balancer.configure(in_force.effective, self._config.metrics.report_interval)

    def _what_was_set(self) -> dict[str, Any]:
        try:
            return algorithm_set.read(self._directory)
        except AlgorithmDamaged as damage:
            log.error("what was set of the algorithm is lost: %s", damage)
            return {}

    def _log_changes(self) -> None:
        views = self._balancer.routers(self._clock())
        for view in views:
            self._log_change(view.router.report.server_id, view.standing)
        if len(self._statuses) > len(views):
            known = {view.router.report.server_id for view in views}
            self._statuses = {k: v for k, v in self._statuses.items() if k in known}

    def _log_change(self, router_id: str, standing: Standing) -> None:
        if self._statuses.get(router_id) is standing.status:
            return
        self._statuses[router_id] = standing.status
        if standing.reason is None:
            log.info("%s is active", router_id)
        else:
            log.warning("%s is %s: %s", router_id, standing.status.value, standing.reason)


def _over(file: Algorithm, what: dict[str, Any]) -> InForce:
    try:
        return InForce(algorithm_set.over(file, what), file, what)
    except ValidationError as error:
        log.error(
            "what was set of the algorithm does not fit the file's and is left out: %s", error
        )
        return InForce(file, file, what)
