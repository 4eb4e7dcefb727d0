"""Whom the simulated endpoints ask: the balancer itself, or the plain rule beside it."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from nrs.api.messages import MetricsReport
from nrs.balancer.decide import scoring
from nrs.balancer.decide.algorithm import Algorithm
from nrs.balancer.decide.balancer import Balancer
from nrs.balancer.decide.placement import NoRouter
from nrs.balancer.decide.registry import MISSED_REPORTS
from nrs.balancer.decide.scoring import capacity


class Advice(NamedTuple):
    """The router to use, None for no answer, and when to ask again."""

    router_id: str | None
    poll_after: float


class Adviser(Protocol):
    """What a load balancer is to the simulated world; times in virtual seconds."""

    def report(self, report: MetricsReport, now: float, wall: float) -> None:
        """Take a router's report."""

    def advise(
        self,
        endpoint_id: str,
        candidates: tuple[str, ...],
        current: str,
        mbps: float | None,
        now: float,
    ) -> Advice:
        """Answer an endpoint that is at `current` and says that it carries `mbps`."""


class Balanced:
    """The load balancer: `Balancer`, unchanged."""

    def __init__(self, algorithm: Algorithm, report_interval: float, seed: int) -> None:
        self.balancer = Balancer(algorithm, report_interval, seed=seed)
        self._otherwise = Advice(None, report_interval)

    def report(self, report: MetricsReport, now: float, wall: float) -> None:
        """See Adviser."""
        self.balancer.report(report, now, wall)

    def advise(
        self,
        endpoint_id: str,
        candidates: tuple[str, ...],
        current: str,
        mbps: float | None,
        now: float,
    ) -> Advice:
        """See Adviser."""
        try:
            decision = self.balancer.decide(endpoint_id, candidates, current, now, mbps)
        except NoRouter:
            return self._otherwise
        return Advice(decision.router.report.server_id, decision.poll_after)


class Plain:
    """The best of the last reported scores, with threshold and hold time, and nothing else."""

    def __init__(self, algorithm: Algorithm, report_interval: float, poll_interval: float) -> None:
        self._algorithm = algorithm
        self._stale_after = MISSED_REPORTS * report_interval
        self._poll_interval = poll_interval
        self._scores: dict[str, tuple[float, float, bool]] = {}
        self._told: dict[str, tuple[str, float]] = {}

    def report(self, report: MetricsReport, now: float, wall: float) -> None:
        """See Adviser."""
        room = scoring.headrooms(report, capacity(report, self._algorithm))
        score = scoring.score(room, self._algorithm.weights)
        self._scores[report.server_id] = score, now, report.draining

    def advise(
        self,
        endpoint_id: str,
        candidates: tuple[str, ...],
        current: str,
        mbps: float | None,
        now: float,
    ) -> Advice:
        """See Adviser."""
        return Advice(self._choose(endpoint_id, candidates, now), self._poll_interval)

    def _choose(self, endpoint_id: str, candidates: tuple[str, ...], now: float) -> str | None:
        scores: dict[str, float] = {}
        draining: dict[str, float] = {}
        for router_id in candidates:
            score, heard, drains = self._scores.get(router_id, (0.0, float("-inf"), False))
            if now - heard < self._stale_after:
                (draining if drains else scores)[router_id] = score
        scores = scores or draining
        if not scores:
            return None
        best = min(scores, key=lambda router_id: (-scores[router_id], router_id))
        present, since = self._told.get(endpoint_id, (None, 0.0))
        if present is not None and present in scores:
            gain = scores[best] - scores[present]
            held = now - since < self._algorithm.anti_flap_hold_time
            if gain <= 0 or gain < self._algorithm.anti_flap_threshold or held:
                return present
        self._told[endpoint_id] = best, now
        return best
