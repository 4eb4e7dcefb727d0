"""The load balancer without threads, clocks or sockets: reports in, decisions out."""

from __future__ import annotations

import math
import random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from sys import intern
from typing import Any, NamedTuple

from nrs.api.messages import MetricsReport
from nrs.balancer.decide import history, snapshot
from nrs.balancer.decide.absence import why_none
from nrs.balancer.decide.algorithm import Algorithm
from nrs.balancer.decide.demand import believed
from nrs.balancer.decide.fleet import Fleet, UnknownRouter
from nrs.balancer.decide.member import Member, Ranked
from nrs.balancer.decide.placement import Placement
from nrs.balancer.decide.registry import MISSED_REPORTS, RegistryFull, ReportRefused, Router
from nrs.balancer.decide.rule import Reason
from nrs.balancer.decide.scoring import Headrooms
from nrs.balancer.decide.snapshot import KeptEndpoint, SnapshotDamaged
from nrs.balancer.decide.standing import Standing, State, Status
from nrs.balancer.decide.table import DecisionTable, Entry

__all__ = [
    "Balancer",
    "Decision",
    "NoRouter",
    "PastDecision",
    "RegistryFull",
    "ReportRefused",
    "RouterView",
    "SnapshotDamaged",
    "UnknownEndpoint",
    "UnknownRouter",
]

DECISIONS_PER_S = 2000.0
"""With more endpoints than ask this often in a report interval, each asks less often."""

_JITTER = 0.2


class NoRouter(Exception):
    """No routing server can be used; the text says why."""


class UnknownEndpoint(Exception):
    """An endpoint that has not asked lately; the text is its id."""


class Decision(NamedTuple):
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


@dataclass(frozen=True)
class PastDecision:
    """`count` equal decisions in a row; `score` is that of the last one."""

    first: float
    last: float
    count: int
    router_id: str
    previous: str | None
    reason: Reason
    score: float


@dataclass(frozen=True)
class RouterView:
    """A router with its score, what the operator has set for it, and whether it may be used."""

    router: Router
    score: float
    effective_score: float
    parts: Headrooms
    state: State
    standing: Standing

    @property
    def active(self) -> bool:
        """Whether endpoints are sent there as long as there is a choice."""
        return self.standing.status is Status.ACTIVE


class Balancer:
    """Ranks routers and decides for endpoints; `now` is as in `registry`, `wall` Unix time."""

    def __init__(
        self, algorithm: Algorithm, report_interval: float, *, seed: int | None = None
    ) -> None:
        """`seed` makes the jitter of `poll_after` repeatable."""
        self._fleet = Fleet(algorithm, report_interval)
        self._table = DecisionTable()
        self._placement = Placement(self._fleet)
        self._random = random.Random(seed)  # noqa: S311 - jitter, not a secret
        self._refusals: dict[str, int] = {}
        self._endpoints = 0
        self._counted_at = -math.inf
        self._counted_of = 0
        self._origin: float | None = None

    @property
    def algorithm(self) -> Algorithm:
        """What it goes by."""
        return self._fleet.algorithm

    @property
    def refusals(self) -> Mapping[str, int]:
        """How many reports have been refused, by kind (`older`, `future`, `full`)."""
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
            self._count_refusal(refusal.kind)
            raise
        except RegistryFull:
            self._count_refusal("full")
            raise

    def set_state(self, router_id: str, state: State) -> bool:
        """Take what the operator sets; whether it is a change. Raises UnknownRouter."""
        return self._fleet.set_state(router_id, state)

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
    ) -> Decision:
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
        entry.reason, entry.score = reason, chosen.score
        self._note(entry, at, chosen, now)
        self._table.put(endpoint_id, entry)
        poll_after, poll_at_least = self._pauses()
        entry.valid_until = now + MISSED_REPORTS * poll_after
        return Decision(
            chosen.router,
            chosen.score,
            reason,
            previous,
            fleet.ranking(among, options, at),
            entry.valid_until,
            poll_after,
            poll_at_least,
            changed=not known or before != (entry.router_id, entry.since, entry.candidates),
        )

    def decisions(self, now: float) -> Iterator[tuple[str, Entry]]:
        """The endpoints that are remembered, each with what it was told, longest silent first."""
        self._table.forget(now)
        return iter(self._table)

    def entry(self, endpoint_id: str) -> Entry | None:
        """What is remembered of an endpoint."""
        return self._table.peek(endpoint_id)

    def explain(self, endpoint_id: str) -> list[PastDecision]:
        """The last decisions for an endpoint, oldest first. Raises UnknownEndpoint."""
        entry = self._table.peek(endpoint_id)
        if entry is None:
            raise UnknownEndpoint(endpoint_id)
        origin = self._origin or 0.0
        name = self._fleet.name
        return [
            PastDecision(
                run.first + origin,
                run.last + origin,
                run.times,
                name(run.router),
                None if run.previous == history.NOBODY else name(run.previous),
                run.reason,
                run.score,
            )
            for run in history.runs(entry.records)
        ]

    def routers(self, now: float) -> list[RouterView]:
        """Every router that has reported, by id."""
        members = self._current(now).members
        return [self._view(members[router_id]) for router_id in sorted(members)]

    def router(self, router_id: str, now: float) -> RouterView | None:
        """One of them."""
        member = self._current(now).members.get(router_id)
        return None if member is None else self._view(member)

    def active_decisions(self, now: float) -> int:
        """How many endpoints have asked lately."""
        return self._table.active(now)

    def dump(self, now: float, wall: float) -> dict[str, Any]:
        """What has to outlive a restart, as JSON can hold it."""
        ids = [endpoint_id for endpoint_id, _ in self._table]
        return {**self.dump_routers(now, wall), "endpoints": self.dump_endpoints(ids, now, wall)}

    def dump_routers(self, now: float, wall: float) -> dict[str, Any]:
        """The same without the endpoints."""
        return {**snapshot.dump_fleet(self._fleet, wall - now), "endpoints": {}}

    def dump_endpoints(
        self, ids: Iterable[str], now: float, wall: float
    ) -> dict[str, KeptEndpoint]:
        """What is remembered of these endpoints, where it still is."""
        return snapshot.dump_endpoints(self._table, ids, wall - now)

    def load(self, data: Any, now: float, wall: float) -> None:
        """Begin with what `dump` gave, however long ago. Raises SnapshotDamaged."""
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

    def _view(self, member: Member) -> RouterView:
        return RouterView(
            member.router,
            member.score,
            member.effective,
            member.parts,
            self._fleet.states.get(member.router_id, State.ACTIVE),
            member.standing,
        )

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

    def _note(self, entry: Entry, at: Member | None, chosen: Member, now: float) -> None:
        if self._origin is None:
            self._origin = now
        before = history.NOBODY if at is None else at.number
        since = now - self._origin
        history.note(entry.records, since, chosen.number, before, entry.reason, chosen.score)

    def _pauses(self) -> tuple[float, float]:
        """The next `poll_after` and `poll_at_least`."""
        spread = 1.0 + _JITTER * (2.0 * self._random.random() - 1.0)
        bearable = len(self._table) / DECISIONS_PER_S
        return max(self._fleet.report_interval, bearable) * spread, bearable * spread

    def _count_refusal(self, kind: str) -> None:
        self._refusals[kind] = self._refusals.get(kind, 0) + 1


def _among(candidates: Sequence[str] | None, entry: Entry | None) -> tuple[str, ...] | None:
    known = entry.candidates if entry is not None else None
    if candidates is None:
        return known
    stated = tuple(candidates)
    return known if stated == known else tuple(map(intern, stated))
