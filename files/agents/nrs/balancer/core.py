"""The load balancer without threads, clocks or sockets: reports in, decisions out."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from sys import intern
from typing import Any, NamedTuple

from nrs.api.messages import MetricsReport
from nrs.balancer import history, snapshot
from nrs.balancer.budget import MoveBudget, urgency
from nrs.balancer.config import Algorithm
from nrs.balancer.decision import Reason, Rule, best, judge
from nrs.balancer.demand import believed
from nrs.balancer.ejection import Ejection
from nrs.balancer.fleet import Fleet, UnknownRouter
from nrs.balancer.member import UNUSABLE, Member, Ranked
from nrs.balancer.registry import MISSED_REPORTS, RegistryFull, ReportRefused, Router
from nrs.balancer.scoring import Headrooms
from nrs.balancer.standing import Standing, State, Status
from nrs.balancer.table import DecisionTable, Entry

__all__ = [
    "Balancer",
    "Decision",
    "NoRouter",
    "PastDecision",
    "RegistryFull",
    "ReportRefused",
    "RouterView",
    "UnknownEndpoint",
    "UnknownRouter",
]

DECISIONS_PER_S = 2000.0
"""With more endpoints than ask this often in a report interval, each asks less often."""

_JITTER = 0.2
_NAMED = 5
_NEVER = float("-inf")


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
        self._rule = Rule(algorithm.anti_flap_threshold, algorithm.anti_flap_hold_time)
        self._budget = MoveBudget(report_interval)
        self._random = random.Random(seed)  # noqa: S311 - jitter, not a secret
        self._refusals: dict[str, int] = {}
        self._endpoints = 0
        self._counted_at = _NEVER
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
        self._rule = Rule(algorithm.anti_flap_threshold, algorithm.anti_flap_hold_time)
        self._budget.cycle = report_interval
        self._fleet.configure(algorithm, report_interval)

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
        among = _among(candidates, entry)
        options = fleet.options(among)
        if not options:
            raise NoRouter(self._why_none(among, now))
        if current is not None and current not in fleet.members and not fleet.settled(now):
            raise NoRouter(f"{current}, which the endpoint uses, has not reported yet")
        known = entry is not None
        if entry is None:
            entry = Entry(options[0].router_id, _NEVER, among, now)
        entry.mbps = believed(mbps, fleet.endpoint_mbps)
        at = self._whereabouts(entry, current, now, known=known)
        entry.candidates, entry.asked_at = among, now
        chosen, reason = self._choose(entry, at, options, now, known=known)
        previous = at.router_id if at is not None else entry.router_id if known else None
        if at is None or chosen is not at:
            self._move(entry, at, chosen, now, previous)
        entry.reason, entry.score = reason, chosen.score
        self._note(entry, chosen, at, reason, now)
        self._table.put(endpoint_id, entry)
        poll_after = self._poll_after()
        entry.valid_until = now + MISSED_REPORTS * poll_after
        ranking = self._ranking(among, options, at)
        return Decision(
            chosen.router, chosen.score, reason, previous, ranking, entry.valid_until, poll_after
        )

    def decisions(self, now: float) -> Iterator[tuple[str, Entry]]:
        """The endpoints that are remembered, each with what it was told, longest silent first."""
        self._table.get("", now)
        return iter(self._table)

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
        fleet = self._current(now)
        return [
            RouterView(
                member.router,
                member.score,
                member.effective,
                member.parts,
                fleet.states.get(router_id, State.ACTIVE),
                member.standing,
            )
            for router_id, member in sorted(fleet.members.items())
        ]

    def active_decisions(self, now: float) -> int:
        """How many endpoints have asked lately."""
        return self._table.active(now)

    # -- a restart

    def dump(self, now: float, wall: float) -> dict[str, Any]:
        """What has to outlive a restart, as JSON can hold it."""
        ahead = wall - now
        return {
            "version": snapshot.VERSION,
            "routers": [
                {
                    "report": member.report.model_dump(mode="json"),
                    "pending_mbps": member.pending.mbps,
                    "warming_since": _to_wall(member.warming_since, ahead),
                    "ejection": _kept_ejection(member.ejection, ahead),
                }
                for member in self._fleet.members.values()
            ],
            "states": {router_id: state.value for router_id, state in self._fleet.states.items()},
            "endpoints": {
                endpoint_id: (
                    entry.router_id,
                    _to_wall(entry.since, ahead),
                    entry.previous,
                    None if entry.candidates is None else list(entry.candidates),
                    entry.asked_at + ahead,
                )
                for endpoint_id, entry in self._table
            },
        }

    def load(self, data: Any, now: float, wall: float) -> None:
        """Begin with what `dump` gave, however long ago. Raises SnapshotDamaged.

        Routers count as heard of just now: those that are gone are left in three intervals,
        and nobody is moved for want of reports.
        """
        kept = snapshot.parse(data)
        behind = now - wall
        for router in kept.routers:
            member = self._fleet.restore(Router(router.report, now), now)
            member.pending.move(router.pending_mbps, now, gradual=False)
            if router.warming_since is not None:
                member.warming_since = router.warming_since + behind
            if router.ejection is not None:
                count, at, until, reason = router.ejection
                member.ejection = Ejection(count, at + behind, until + behind, reason)
        self._fleet.restore_states(kept.states)
        for endpoint_id, (router_id, since, previous, candidates, asked_at) in sorted(
            kept.endpoints.items(), key=lambda item: item[1].asked_at
        ):
            entry = Entry(
                intern(router_id),
                _NEVER if since is None else since + behind,
                None if candidates is None else tuple(map(intern, candidates)),
                min(asked_at + behind, now),
                previous=previous,
                reason=Reason.BEST,
            )
            self._table.put(endpoint_id, entry)

    # -- a decision

    def _current(self, now: float) -> Fleet:
        if self._fleet.due(now):
            self._fleet.refresh(now, self._count(now))
        return self._fleet

    def _count(self, now: float) -> int:
        """How many endpoints share the routers; counted anew now and then."""
        grown = len(self._table) > 1.5 * self._counted_of
        if grown or now - self._counted_at >= self._budget.cycle:
            self._endpoints = self._table.active(now)
            self._counted_at, self._counted_of = now, len(self._table)
        return self._endpoints

    def _whereabouts(
        self, entry: Entry, current: str | None, now: float, *, known: bool
    ) -> Member | None:
        """The router that the endpoint is at, as far as is known."""
        members = self._fleet.members
        if current is None:
            return members.get(entry.router_id) if known else None
        at = members.get(current)
        if not known:
            if at is not None:
                entry.router_id = at.router_id
        elif current == entry.router_id:
            entry.confirmed = True
        elif at is not None:
            self._stray(entry, at, now)
        return at

    def _stray(self, entry: Entry, at: Member, now: float) -> None:
        """The endpoint is not where it was told to be."""
        told = self._fleet.members.get(entry.router_id)
        if entry.previous == at.router_id and not entry.confirmed:
            # It has not followed: nothing has moved, and asking it again waits for the hold.
            when, gradual = entry.since, True
        else:
            # It has moved by itself since it last asked, and may know why.
            when, gradual = (entry.asked_at + now) / 2, False
            entry.moved_mbps = entry.mbps
            entry.since = now
            if told is not None:
                told.deserted_at = now
                told.open = False
        self._fleet.move(told, at, entry.moved_mbps, when, gradual=gradual)
        entry.previous, entry.router_id = entry.router_id, at.router_id
        entry.confirmed = True

    def _choose(
        self, entry: Entry, at: Member | None, options: list[Member], now: float, *, known: bool
    ) -> tuple[Member, Reason]:
        mbps = entry.mbps
        challenger = best(options, mbps)
        if at is None or at.rank != options[0].rank or not _may_use(entry, at):
            reason = Reason.ROUTER_LOST if known or at is not None else Reason.FIRST
            return challenger or max(options, key=lambda m: m.effective - m.cost * mbps), reason
        fled = entry.since == now
        held_s = math.inf if fled else now - entry.since
        reason, gain = judge(at, challenger, mbps, held_s, self._rule)
        if reason is not Reason.BETTER:
            return at, reason
        assert challenger is not None
        urgent = urgency(gain, challenger.cost * mbps, held_s)
        if not fled and not self._budget.take(urgent, self._endpoints, now):
            return at, Reason.LIMITED
        return challenger, reason

    def _move(
        self, entry: Entry, at: Member | None, chosen: Member, now: float, previous: str | None
    ) -> None:
        gradual = at is not None and at.rank < UNUSABLE
        self._fleet.move(at, chosen, entry.mbps, now, gradual=gradual)
        entry.moved_mbps = entry.mbps
        entry.router_id, entry.since = chosen.router_id, now
        entry.previous, entry.confirmed = previous, False

    def _note(
        self, entry: Entry, chosen: Member, at: Member | None, reason: Reason, now: float
    ) -> None:
        if self._origin is None:
            self._origin = now
        before = history.NOBODY if at is None else at.number
        since = now - self._origin
        history.note(entry.records, since, chosen.number, before, reason, chosen.score)

    def _poll_after(self) -> float:
        every = max(self._fleet.report_interval, len(self._table) / DECISIONS_PER_S)
        return every * (1.0 + _JITTER * (2.0 * self._random.random() - 1.0))

    def _ranking(
        self, among: tuple[str, ...] | None, options: list[Member], at: Member | None
    ) -> tuple[Ranked, ...]:
        if among is None:
            members = options if at is None or at in options else [*options, at]
        else:
            members = [m for m in map(self._fleet.members.get, among) if m is not None]
        ordered = sorted(members, key=lambda m: (m.rank, -m.effective, m.router_id))
        return tuple([member.ranked() for member in ordered])

    def _count_refusal(self, kind: str) -> None:
        self._refusals[kind] = self._refusals.get(kind, 0) + 1

    def _why_none(self, among: Sequence[str] | None, now: float) -> str:
        fleet = self._fleet
        named = fleet.members if among is None else among
        known = [
            fleet.members[router_id] for router_id in sorted(named) if router_id in fleet.members
        ]
        if not known and among is None:
            return "no routing server has reported yet"
        if not known:
            return f"no routing server among the candidates has reported yet: {', '.join(named)}"
        by_status: dict[Status, list[Member]] = {}
        for member in known:
            by_status.setdefault(member.standing.status, []).append(member)
        silent = [
            f"{member.router_id} for {fleet.silent_s(member, now):.0f} s"
            for member in by_status.get(Status.INACTIVE, ())
        ]
        ejected = [member.router_id for member in by_status.get(Status.EJECTED, ())]
        disabled = [member.router_id for member in by_status.get(Status.DISABLED, ())]
        parts = ["no routing server is active"]
        for what, names in (
            ("without a report", silent),
            ("ejected", ejected),
            ("disabled", disabled),
        ):
            if names:
                more = ", ..." if len(names) > _NAMED else ""
                parts.append(f"{what}: {', '.join(names[:_NAMED])}{more}")
        return "; ".join(parts)


def _among(candidates: Sequence[str] | None, entry: Entry | None) -> tuple[str, ...] | None:
    known = entry.candidates if entry is not None else None
    if candidates is None:
        return known
    stated = tuple(candidates)
    return known if stated == known else tuple(map(intern, stated))


def _may_use(entry: Entry, at: Member) -> bool:
    return entry.candidates is None or at.router_id in entry.candidates


def _to_wall(when: float, ahead: float) -> float | None:
    return None if when == _NEVER else when + ahead


def _kept_ejection(ejection: Ejection | None, ahead: float) -> tuple[int, float, float, str] | None:
    if ejection is None:
        return None
    return ejection.count, ejection.at + ahead, ejection.until + ahead, ejection.reason
