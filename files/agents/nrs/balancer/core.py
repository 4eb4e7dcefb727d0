"""The load balancer without threads, clocks or sockets: reports in, decisions out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nrs.api.messages import MetricsReport
from nrs.balancer import scoring
from nrs.balancer.config import Algorithm
from nrs.balancer.decision import Held, Reason, choose
from nrs.balancer.registry import Router, RouterRegistry
from nrs.balancer.standing import RANK, Standing, State, Status, standing
from nrs.balancer.table import DecisionTable, Entry

_NAMED = 5


class NoRouter(Exception):
    """No routing server can be used; the text says why."""


class UnknownRouter(Exception):
    """A routing server that has never reported; the text is its id."""


@dataclass(frozen=True)
class Decision:
    """The router an endpoint should use."""

    router: Router
    score: float
    reason: Reason
    previous: Held | None


@dataclass(frozen=True)
class RouterView:
    """A router with its score, what the operator has set for it, and whether it may be used."""

    router: Router
    score: float
    state: State
    standing: Standing

    @property
    def active(self) -> bool:
        """Whether endpoints are sent there as long as there is a choice."""
        return self.standing.status is Status.ACTIVE


class Balancer:
    """Ranks routers and decides for endpoints; `now` is as in `registry`."""

    def __init__(self, algorithm: Algorithm, stale_after: float) -> None:
        self._algorithm = algorithm
        self._registry = RouterRegistry(stale_after)
        self._table = DecisionTable()
        self._scores: dict[str, float] = {}
        self._states: dict[str, State] = {}

    def configure(self, algorithm: Algorithm, stale_after: float) -> None:
        """Go by another algorithm from now on; reports and decisions stay."""
        self._algorithm = algorithm
        self._registry.stale_after = stale_after
        self._scores = {
            router.report.server_id: self._score(router.report) for router in self._registry.all()
        }

    def report(self, report: MetricsReport, now: float, wall: float) -> float:
        """Take a router's report; its score. Raises ReportRefused, RegistryFull."""
        forgotten = self._registry.accept(report, now, wall)
        if forgotten is not None:
            del self._scores[forgotten]
        score = self._scores[report.server_id] = self._score(report)
        return score

    @property
    def states(self) -> dict[str, State]:
        """What the operator has set, by router, where it is not ACTIVE."""
        return dict(self._states)

    def set_state(self, router_id: str, state: State) -> bool:
        """Take what the operator sets; whether it is a change. Raises UnknownRouter."""
        if router_id not in self._states and self._registry.get(router_id) is None:
            raise UnknownRouter(router_id)
        before = self._states.pop(router_id, State.ACTIVE)
        if state is not State.ACTIVE:
            self._states[router_id] = state
        return state is not before

    def restore(self, states: Mapping[str, State]) -> None:
        """Begin with what the operator had set before, also for routers yet to report."""
        self._states = dict(states)

    def decide(self, endpoint_id: str, candidates: Sequence[str] | None, now: float) -> Decision:
        """The router for an endpoint, among `candidates`, else those it last stated.

        Raises NoRouter.
        """
        entry = self._table.get(endpoint_id, now)
        known = entry.candidates if entry is not None else None
        among = tuple(candidates) if candidates is not None else known
        usable = self._usable(among, now)
        if not usable:
            raise NoRouter(self._why_none(among, now))
        present = entry.held if entry is not None else None
        held, reason = choose(present, usable, self._algorithm, now)
        self._table.put(endpoint_id, Entry(held, among, now))
        router = self._registry.get(held.router_id)
        assert router is not None
        return Decision(router, usable[held.router_id], reason, present)

    def routers(self, now: float) -> list[RouterView]:
        """Every router that has reported, by id."""
        return [
            RouterView(
                router,
                self._scores[router.report.server_id],
                self._states.get(router.report.server_id, State.ACTIVE),
                self._standing(router, now),
            )
            for router in self._registry.all()
        ]

    def active_decisions(self, now: float) -> int:
        """How many endpoints have asked lately."""
        return self._table.active(now)

    def _score(self, report: MetricsReport) -> float:
        room = scoring.headrooms(report, self._algorithm)
        return scoring.score(room, self._algorithm.weights)

    def _standing(self, router: Router, now: float) -> Standing:
        return standing(
            router.report,
            self._states.get(router.report.server_id, State.ACTIVE),
            silent_s=now - router.received_at,
            fresh=self._registry.is_fresh(router, now),
        )

    def _usable(self, among: Sequence[str] | None, now: float) -> Mapping[str, float]:
        """The scores of the best that there is: active ones, else those of the next rank."""
        known = map(self._registry.get, among) if among is not None else self._registry.all()
        ranked: dict[int, dict[str, float]] = {}
        for router in known:
            rank = RANK.get(self._standing(router, now).status) if router is not None else None
            if router is not None and rank is not None:
                router_id = router.report.server_id
                ranked.setdefault(rank, {})[router_id] = self._scores[router_id]
        return ranked[min(ranked)] if ranked else {}

    def _why_none(self, among: Sequence[str] | None, now: float) -> str:
        known = [
            router
            for router in self._registry.all()
            if among is None or router.report.server_id in among
        ]
        if not known and among is None:
            return "no routing server has reported yet"
        if not known:
            named = ", ".join(among or ())
            return f"no routing server among the candidates has reported yet: {named}"
        disabled = [
            router.report.server_id
            for router in known
            if self._standing(router, now).status is Status.DISABLED
        ]
        silent = [
            f"{router.report.server_id} for {now - router.received_at:.0f} s"
            for router in known
            if router.report.server_id not in disabled
        ]
        parts = ["no routing server is active"]
        for what, names in (("without a report", silent), ("disabled", disabled)):
            if names:
                more = ", ..." if len(names) > _NAMED else ""
                parts.append(f"{what}: {', '.join(names[:_NAMED])}{more}")
        return "; ".join(parts)
