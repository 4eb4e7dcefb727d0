"""The load balancer without threads, clocks or sockets: reports in, decisions out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from nrs.api.messages import MetricsReport
from nrs.balancer import scoring
from nrs.balancer.config import Algorithm
from nrs.balancer.decision import Held, Reason, choose
from nrs.balancer.registry import Router, RouterRegistry
from nrs.balancer.table import DecisionTable, Entry

_NAMED = 5


class NoRouter(Exception):
    """No routing server can be used; the text says why."""


@dataclass(frozen=True)
class Decision:
    """The router an endpoint should use."""

    router: Router
    score: float
    reason: Reason
    previous: Held | None


@dataclass(frozen=True)
class RouterView:
    """A router with its score; `active` tells whether its report is recent enough."""

    router: Router
    active: bool
    score: float


class Balancer:
    """Ranks routers and decides for endpoints; `now` is as in `registry`."""

    def __init__(self, algorithm: Algorithm, stale_after: float) -> None:
        self._algorithm = algorithm
        self._registry = RouterRegistry(stale_after)
        self._table = DecisionTable()
        self._scores: dict[str, float] = {}

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
                self._registry.is_active(router.report.server_id, now),
                self._scores[router.report.server_id],
            )
            for router in self._registry.all()
        ]

    def active_routers(self, now: float) -> set[str]:
        """The ids of the routers that can be decided for."""
        return {router.report.server_id for router in self._registry.active(now)}

    def active_decisions(self, now: float) -> int:
        """How many endpoints have asked lately."""
        return self._table.active(now)

    def _score(self, report: MetricsReport) -> float:
        room = scoring.headrooms(report, self._algorithm)
        return scoring.score(room, self._algorithm.weights)

    def _usable(self, among: Sequence[str] | None, now: float) -> Mapping[str, float]:
        if among is None:
            ids = [router.report.server_id for router in self._registry.active(now)]
        else:
            ids = [name for name in among if self._registry.is_active(name, now)]
        return {router_id: self._scores[router_id] for router_id in ids}

    def _why_none(self, among: Sequence[str] | None, now: float) -> str:
        silent = [
            f"{router.report.server_id} for {now - router.received_at:.0f} s"
            for router in self._registry.all()
            if among is None or router.report.server_id in among
        ]
        if silent:
            named = ", ".join(silent[:_NAMED]) + (", ..." if len(silent) > _NAMED else "")
            return f"no routing server is active; without a report: {named}"
        if among is None:
            return "no routing server has reported yet"
        return f"no routing server among the candidates has reported yet: {', '.join(among)}"
