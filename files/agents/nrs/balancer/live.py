"""The load balancer as its threads share it: the lock, the real clocks, a log of changes.

The server's own thread takes the lock, so nothing is read, written or logged with it held.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from nrs.api.messages import MetricsReport
from nrs.balancer.config import LoadBalancerConfig
from nrs.balancer.decide.balancer import Balancer, Choice
from nrs.balancer.decide.history import Run
from nrs.balancer.decide.instant import Instant
from nrs.balancer.decide.member import RouterView
from nrs.balancer.decide.rule import Reason
from nrs.balancer.decide.snapshot import KeptEndpoint
from nrs.balancer.decide.standing import Changes, State
from nrs.balancer.decide.table import Page, page
from nrs.balancer.keep import settings
from nrs.balancer.keep.feed import Feed
from nrs.balancer.keep.recording import Asked, Recorder
from nrs.balancer.keep.settings import InForce, Settings
from nrs.balancer.keep.shared import SharedReport
from nrs.config.types import IPAddress

log = logging.getLogger(__name__)

_AT_ONCE = 200
"""Endpoints that are looked at before others get their turn: a millisecond."""


class Shared(Protocol):
    """The store that several load balancers share, as far as is told of it."""

    @property
    def error(self) -> str | None:
        """Why it is not reached; None where it is."""


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
        self._setting = threading.Lock()
        """What is set is stored, then in force, one after the other; taken before `_lock`."""
        self._clock = clock
        self._wall_clock = wall_clock
        self._config = config
        self._settings = Settings(directory)
        self._recorder = Recorder(config.metrics.record_file)
        self._changes = Changes()
        self._feeds: list[Feed] = []
        self.decided: Counter[Reason] = Counter()
        self.moved = 0
        self.reported = 0
        self.shared: Shared | None = None
        self.unstored: str | None = None
        """Why a restart would lose decisions; None where it would not."""
        self._reports: dict[str, SharedReport] = {}
        self._in_force = settings.fitting(config.algorithm, self._settings.algorithm())
        self._balancer = Balancer(self._in_force.effective, config.metrics.report_interval)
        self._balancer.restore_states(self._settings.states())

    def instant(self) -> Instant:
        """What the clocks show now."""
        return Instant(self._clock(), self._wall_clock())

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
            return dict(self._balancer.refusals)

    def count_refusal(self, kind: str) -> None:
        """Count a report that was refused before it got here."""
        with self._lock:
            self._balancer.count_refusal(kind)

    def configure(self, config: LoadBalancerConfig) -> None:
        """Go by another configuration; reports, decisions and what was set stay."""
        with self._setting:
            in_force = settings.fitting(config.algorithm, self._in_force.set)
            before = recorder = self._recorder
            if config.metrics.record_file != before.path:
                recorder = Recorder(config.metrics.record_file)
            with self._lock:
                self._config = config
                self._recorder = recorder
                self._apply(in_force)
            if recorder is not before:
                before.close()

    def set_algorithm(self, what: dict[str, Any]) -> bool:
        """Lay these keys over the file's algorithm, in place of those before; whether a change.

        Raises ValidationError, and OSError where it cannot be stored: then nothing has changed.
        """
        with self._setting:
            in_force = settings.over(self._config.algorithm, what)
            if what == self._in_force.set:
                return False
            self._settings.keep_algorithm(what)
            with self._lock:
                self._apply(in_force)
        log.info("the algorithm is set to %s", in_force.effective.model_dump_json())
        return True

    def report(self, report: MetricsReport) -> float:
        """Take a report; the router's score. Raises as Balancer.report."""
        with self._lock:
            at = self.instant()
            score = self._balancer.report(report, *at)
            self.reported += 1
            self._recorder.note(report)
            if self.shared is not None:
                self._reports[report.server_id] = SharedReport(report, at.wall)
            view = self._balancer.router(report.server_id, at.now)
            changed = view is not None and self._changes.note(report.server_id, view.standing)
        if view is not None and changed:
            _log(view)
        return score

    def decide(
        self,
        endpoint_id: str,
        candidates: Sequence[str] | None,
        current: str | None = None,
        mbps: float | None = None,
    ) -> Choice:
        """The router for an endpoint. Raises as Balancer.decide."""
        with self._lock:
            choice = self._balancer.decide(endpoint_id, candidates, current, self._clock(), mbps)
            if self._recorder.recording:
                self._recorder.note(
                    Asked(
                        endpoint_id=endpoint_id,
                        timestamp=self._wall_clock(),
                        router_id=choice.router_id,
                        candidates=None if candidates is None else list(candidates),
                        current=current,
                        mbps=mbps,
                    )
                )
            moves = choice.moves
            self.decided[choice.reason] += 1
            self.moved += moves
            for feed in self._feeds:
                feed.note(endpoint_id, changed=choice.changed)
        if moves:
            log.info(
                "%s moves from %s to %s, score %.3f: %s",
                endpoint_id,
                choice.previous,
                choice.router_id,
                choice.score,
                choice.reason.value,
            )
        return choice

    def foresee(
        self, endpoint_id: str, candidates: Sequence[str] | None, current: str | None
    ) -> Choice:
        """What the endpoint would be told now. Raises as Balancer.foresee."""
        with self._lock:
            return self._balancer.foresee(endpoint_id, candidates, current, self._clock())

    def set_state(self, router_id: str, state: State) -> tuple[RouterView | None, bool]:
        """Take and store what the operator sets; the router now, and whether it is a change.

        The view is None for a router that has not reported since the start. Raises
        UnknownRouter, and OSError where it cannot be stored: then nothing has changed.
        """
        with self._setting:
            with self._lock:
                before = self._balancer.states
                after = self._balancer.states_with(router_id, state)
            changed = after != before
            if changed:
                self._settings.keep_states(after)
            with self._lock:
                self._balancer.restore_states(after)
                view = self._balancer.router(router_id, self._clock())
        if changed:
            log.info("%s is set to %s", router_id, state.value)
            self._log_changes()
        return view, changed

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
        known = self.endpoint_ids()
        ids, following = page(known, after, limit)
        with self._lock:
            return Page(len(known), self._balancer.listed(ids, self.instant()), following)

    def explain(self, endpoint_id: str) -> list[Run]:
        """The last decisions for an endpoint, oldest first. Raises UnknownEndpoint."""
        with self._lock:
            return self._balancer.explain(endpoint_id)

    def watch(self) -> None:
        """Log the routers whose status has changed; call about once a second."""
        self._log_changes()
        self._recorder.flush()

    def close(self) -> None:
        """Bring what was recorded to its file."""
        self._recorder.close()

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
            return self._balancer.endpoint_ids(self._clock())

    def dump_endpoints(self, ids: Sequence[str]) -> Iterator[dict[str, KeptEndpoint]]:
        """What is remembered of these endpoints, in parts between which others get their turn."""
        for start in range(0, len(ids), _AT_ONCE):
            with self._lock:
                part = self._balancer.dump_endpoints(ids[start : start + _AT_ONCE], *self.instant())
            yield part

    def dump_routers(self) -> dict[str, Any]:
        """What is remembered of the routers."""
        with self._lock:
            return self._balancer.dump_routers(*self.instant())

    def load(self, data: Any) -> None:
        """Begin with what was kept. Raises SnapshotDamaged.

        The operator's states are not taken from there: each is stored as it is set.
        """
        with self._lock:
            present = self._balancer.states
            self._balancer.load(data, *self.instant())
            self._balancer.restore_states(present)

    def adopt(self, endpoints: Iterable[tuple[str, KeptEndpoint]]) -> None:
        """Take over what other load balancers have decided, a few at once."""
        with self._lock:
            for endpoint_id, kept in endpoints:
                self._balancer.adopt(endpoint_id, kept, *self.instant())

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
        """Take a report that another load balancer has got, if the router does not reach this."""
        with self._lock:
            self._balancer.adopt_report(*shared, *self.instant())

    def _log_changes(self) -> None:
        with self._lock:
            views = self._balancer.routers(self._clock())
            changed = [view for view in views if self._changes.note(view.router_id, view.standing)]
            self._changes.forget_others({view.router_id for view in views})
        for view in changed:
            _log(view)

    def _apply(self, in_force: InForce) -> None:
        """With the lock held."""
        self._in_force = in_force
        self._balancer.configure(in_force.effective, self._config.metrics.report_interval)


def _log(view: RouterView) -> None:
    router_id, standing = view.router_id, view.standing
    if standing.reason is None:
        log.info("%s is active", router_id)
    else:
        log.warning("%s is %s: %s", router_id, standing.status.value, standing.reason)
