"""The load balancer without threads, clocks or sockets: reports in, decisions out.

report   -> Fleet: score, standing, what is pending
question -> Placement: stay or move, by the rule and within the budget -> DecisionTable, History
"""

from __future__ import annotations

import copy
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from sys import intern
from typing import Any, NamedTuple

from nrs.api.messages import MetricsReport
from nrs.balancer.decide import snapshot
from nrs.balancer.decide.algorithm import Algorithm
from nrs.balancer.decide.demand import believed
from nrs.balancer.decide.fleet import Fleet
from nrs.balancer.decide.history import History, Run
from nrs.balancer.decide.instant import Instant
from nrs.balancer.decide.member import Ranked, RouterView
from nrs.balancer.decide.placement import NoRouter, Placement, why_none
from nrs.balancer.decide.registry import MISSED_REPORTS, RegistryFull, ReportRefused, Router
from nrs.balancer.decide.rule import Reason
from nrs.balancer.decide.snapshot import KeptEndpoint
from nrs.balancer.decide.standing import State
from nrs.balancer.decide.table import DecisionTable, Entry, Listed

DECISIONS_PER_S = 2000.0
"""With more endpoints than ask this often in a report interval, each asks less often."""

_JITTER = 0.2


class UnknownEndpoint(Exception):
    """An endpoint that has not asked lately; the text is its id."""


class Choice(NamedTuple):
    """The router an endpoint should use; times are of the clock of `now`, seconds."""

    router: Router
    score: float
    reason: Reason
    previous: str | None
    """The router that the endpoint was at when it asked, None where that is not known."""
    ranking: tuple[Ranked, ...]
    """The candidates, best first; of any router only the best few."""
    valid_until: float
    poll_after: float
    """Seconds after which to ask again."""
    poll_at_least: float
    """Seconds that all endpoints have to leave it, for it to answer them all."""
    changed: bool
    """Whether what is remembered of the endpoint is other than before."""

    @property
    def router_id(self) -> str:
        """The router's name."""
        return self.router.report.server_id

    @property
    def moves(self) -> bool:
        """Whether the endpoint is told to leave the router that it is at."""
        return self.previous is not None and self.previous != self.router_id


class Balancer:
    """Ranks routers and decides for endpoints; `now` and `wall` are as in `instant`."""

    def __init__(
        self, algorithm: Algorithm, report_interval: float, *, seed: int | None = None
    ) -> None:
        """`seed` makes the jitter of `poll_after` repeatable."""
        self._fleet = Fleet(algorithm, report_interval)
        self._table = DecisionTable()
        self._placement = Placement(self._fleet)
        self._history = History(self._fleet.numbers)
        self._random = random.Random(seed)  # noqa: S311 - jitter, not a secret  # nosec B311
        self._refusals: dict[str, int] = {}
        self._endpoints = 0
        self._counted_at = -math.inf
        self._counted_of = 0

    @property
    def refusals(self) -> Mapping[str, int]:
        """How many reports have been refused, by kind: `older`, `future`, `full` or as counted."""
        return self._refusals

    @property
    def states(self) -> dict[str, State]:
        """What the operator has set, by router, where it is not ACTIVE."""
        return dict(self._fleet.states)

    def configure(self, algorithm: Algorithm, report_interval: float) -> None:
        """Go by another algorithm from now on; reports and decisions stay."""
        self._fleet.configure(algorithm, report_interval)
        self._placement.configure(algorithm, report_interval)

    def report(self, report: MetricsReport, now: float, wall: float) -> float:
        """Take a router's report; its score. Raises ReportRefused, RegistryFull."""
        try:
            return self._fleet.accept(report, now, wall).score
        except ReportRefused as refusal:
            self.count_refusal(refusal.kind)
            raise
        except RegistryFull:
            self.count_refusal("full")
            raise

    def adopt_report(
        self, report: MetricsReport, received_at: float, now: float, wall: float
    ) -> None:
        """Take a report that another load balancer got at `received_at`, wall time, if need be."""
        if self._fleet.registry.lacks(report, received_at, now, wall):
            with suppress(ReportRefused, RegistryFull):
                self.report(report, now, wall)

    def count_refusal(self, kind: str) -> None:
        """Count a report that was refused, here or before it got here."""
        self._refusals[kind] = self._refusals.get(kind, 0) + 1

    def set_state(self, router_id: str, state: State) -> bool:
        """Take what the operator sets; whether it is a change. Raises UnknownRouter."""
        return self._fleet.set_state(router_id, state)

    def states_with(self, router_id: str, state: State) -> dict[str, State]:
        """What `states` would be with this one set. Raises UnknownRouter."""
        return self._fleet.states_with(router_id, state)

    def restore_states(self, states: Mapping[str, State]) -> None:
        """Begin with what the operator had set before, also for routers yet to report."""
        self._fleet.restore_states(states)

    def decide(
        self,
        endpoint_id: str,
        candidates: Sequence[str] | None,
        current: str | None,
        now: float,
        mbps: float | None = None,
    ) -> Choice:
        """The router for an endpoint, among `candidates`, else those it last stated.

        `current` is the router that it uses as it asks, and `mbps` what it carries in the busier
        direction; None where it does not say. Raises NoRouter.
        """
        fleet = self._current(now)
        entry = self._table.get(endpoint_id, now)
        known = entry is not None
        among = _among(candidates, entry)
        options = fleet.options(among)
        if not options:
            raise NoRouter(why_none(fleet.members, among, now))
        if current is not None and current not in fleet.members and not fleet.settled(now):
            raise NoRouter(f"{current}, which the endpoint uses, has not reported yet")
        if entry is None:
            entry = Entry(options[0].router_id, -math.inf, among, now)
        before = (entry.router_id, entry.since, entry.candidates)
        entry.mbps = believed(mbps, fleet.endpoint_mbps)
        at = self._placement.find(entry, current, now, known=known)
        entry.candidates, entry.asked_at = among, now
        previous = at.router_id if at is not None else entry.router_id if known else None
        chosen, reason = self._placement.choose(
            entry, at, options, self._endpoints, now, known=known
        )
        if chosen is not at:
            self._placement.move(entry, at, chosen, now)
        left = None if at is None else at.number
        self._history.note(entry.records, now, chosen.number, left, reason, chosen.score)
        self._table.put(endpoint_id, entry)
        poll_after, poll_at_least = self._pauses()
        return Choice(
            chosen.router,
            chosen.score,
            reason,
            previous,
            fleet.ranking(among, options, at),
            now + MISSED_REPORTS * poll_after,
            poll_after,
            poll_at_least,
            changed=not known or before != (entry.router_id, entry.since, entry.candidates),
        )

    def foresee(
        self, endpoint_id: str, candidates: Sequence[str] | None, current: str | None, now: float
    ) -> Choice:
        """As `decide`, for whoever is not the endpoint: nobody is moved, nothing remembered.

        Raises NoRouter.
        """
        fleet = self._current(now)
        entry = copy.copy(self._table.peek(endpoint_id))
        known = entry is not None
        among = _among(candidates, entry)
        options = fleet.options(among)
        if not options:
            raise NoRouter(why_none(fleet.members, among, now))
        if entry is None:
            entry = Entry(options[0].router_id, -math.inf, among, now)
        entry.candidates = among
        where = current or (entry.router_id if known else None)
        at = None if where is None else fleet.members.get(where)
        chosen, reason = self._placement.on_trial().choose(
            entry, at, options, self._endpoints, now, known=known
        )
        poll_after, poll_at_least = self._pauses()
        return Choice(
            chosen.router,
            chosen.score,
            reason,
            where,
            fleet.ranking(among, options, at),
            now + MISSED_REPORTS * poll_after,
            poll_after,
            poll_at_least,
            changed=False,
        )

    def endpoint_ids(self, now: float) -> list[str]:
        """The endpoints that are remembered, longest silent first."""
        self._table.forget(now)
        return [endpoint_id for endpoint_id, _ in self._table]

    def listed(self, ids: Iterable[str], at: Instant) -> list[Listed]:
        """Where these endpoints are, as far as they are still remembered."""
        found = ((endpoint_id, self._table.peek(endpoint_id)) for endpoint_id in ids)
        return [
            Listed(
                endpoint_id,
                entry.router_id,
                at.on_the_wall(entry.since) if math.isfinite(entry.since) else None,
                at.on_the_wall(entry.asked_at),
            )
            for endpoint_id, entry in found
            if entry is not None
        ]

    def explain(self, endpoint_id: str) -> list[Run]:
        """The last decisions for an endpoint, oldest first. Raises UnknownEndpoint."""
        entry = self._table.peek(endpoint_id)
        if entry is None:
            raise UnknownEndpoint(endpoint_id)
        return list(self._history.runs(entry.records))

    def routers(self, now: float) -> list[RouterView]:
        """Every router that has reported, by id."""
        members = self._current(now).members
        return [self._fleet.view(members[router_id]) for router_id in sorted(members)]

    def router(self, router_id: str, now: float) -> RouterView | None:
        """One of them."""
        member = self._current(now).members.get(router_id)
        return None if member is None else self._fleet.view(member)

    def active_decisions(self, now: float) -> int:
        """How many endpoints have asked lately."""
        return self._table.active(now)

    def dump_routers(self, now: float, wall: float) -> dict[str, Any]:
        """What has to outlive a restart but for the endpoints, as JSON can hold it."""
        return snapshot.dump_fleet(self._fleet, wall - now)

    def dump_endpoints(
        self, ids: Iterable[str], now: float, wall: float
    ) -> dict[str, KeptEndpoint]:
        """What is remembered of these endpoints, where it still is."""
        return snapshot.dump_endpoints(self._table, ids, wall - now)

    def load(self, data: Any, now: float, wall: float) -> None:
        """Begin with what was dumped, however long ago. Raises snapshot.SnapshotDamaged."""
        snapshot.load(data, self._fleet, self._table, now, wall - now)

    def adopt(self, endpoint_id: str, kept: KeptEndpoint, now: float, wall: float) -> None:
        """Take over what another load balancer remembers, and count the move if it is one.

        Of two moves of the same endpoint the later one holds.
        """
        known = self._table.peek(endpoint_id)
        other = snapshot.entry(kept, now, wall - now)
        if known is None:
            self._placement.adopt(None, other)
        elif known.router_id != other.router_id:
            if other.since <= known.since:
                return
            self._placement.adopt(known, other)
            other.records = known.records
        else:
            other.asked_at = max(known.asked_at, other.asked_at)
            known.candidates, known.asked_at = other.candidates, other.asked_at
            other = known
        self._table.put(endpoint_id, other)

    def _current(self, now: float) -> Fleet:
        if self._fleet.due(now):
            self._fleet.refresh(now, self._count(now))
        return self._fleet

    def _count(self, now: float) -> int:
        """How many endpoints share the routers; counted anew now and then."""
        grown = len(self._table) > 1.5 * self._counted_of
        if grown or now - self._counted_at >= self._fleet.report_interval:
            self._endpoints = self._table.active(now)
            self._counted_at, self._counted_of = now, len(self._table)
        return self._endpoints

    def _pauses(self) -> tuple[float, float]:
        """The next `poll_after` and `poll_at_least`."""
        spread = 1.0 + _JITTER * (2.0 * self._random.random() - 1.0)
        bearable = len(self._table) / DECISIONS_PER_S
        return max(self._fleet.report_interval, bearable) * spread, bearable * spread


def _among(candidates: Sequence[str] | None, entry: Entry | None) -> tuple[str, ...] | None:
    known = entry.candidates if entry is not None else None
    if candidates is None:
        return known
    stated = tuple(candidates)
    return known if stated == known else tuple(map(intern, stated))
