"""Recorded metrics once more, with another algorithm: what would have been different.

Where the recording holds decisions, the same endpoints ask at the same moments, and what was
answered then is what is compared with. Else as many endpoints as the routers had tunnels ask
every report interval, once with the algorithm as it is and once with the other one.

An endpoint that is at another router than it was carries its load there: reports are corrected
by the difference. What it carries is what it said, else the mean.
"""

from __future__ import annotations

import random
import statistics
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from nrs.api.messages import MetricsReport
from nrs.balancer.decide.algorithm import Algorithm
from nrs.balancer.decide.balancer import Balancer
from nrs.balancer.decide.placement import NoRouter
from nrs.balancer.decide.registry import RegistryFull, ReportRefused
from nrs.balancer.keep.recording import Asked, Recorded

_USUAL_INTERVAL_S = 10.0


@dataclass(frozen=True)
class Ask:
    """An endpoint asks; `answered` is what it was told then, None where nobody knows."""

    at: float
    endpoint_id: str
    candidates: tuple[str, ...] | None
    mbps: float | None
    current: str | None = None
    answered: str | None = None


@dataclass
class Course:
    """Where endpoints were over time."""

    moves: Counter[str] = field(default_factory=Counter)
    """Of each endpoint."""
    at: dict[str, str] = field(default_factory=dict)
    """The last router of each endpoint."""
    seconds: dict[str, float] = field(default_factory=dict)
    """Of all endpoints together, at each router."""
    carried: list[dict[str, float]] = field(default_factory=list)
    """Mb/s of the endpoints at each router, at each report."""
    _load: dict[str, float] = field(default_factory=dict)
    _since: dict[str, tuple[float, float]] = field(default_factory=dict)

    @property
    def switches(self) -> int:
        """Of all endpoints together."""
        return self.moves.total()

    def place(self, endpoint_id: str, router_id: str, mbps: float, now: float) -> None:
        """An endpoint is at a router as of now."""
        before = self.at.get(endpoint_id)
        if before is not None:
            self.leave(endpoint_id, now)
            self.moves[endpoint_id] += before != router_id
        self.at[endpoint_id] = router_id
        self._since[endpoint_id] = now, mbps
        self._load[router_id] = self._load.get(router_id, 0.0) + mbps

    def leave(self, endpoint_id: str, now: float) -> None:
        """Count the time of an endpoint where it was."""
        since, mbps = self._since[endpoint_id]
        router_id = self.at[endpoint_id]
        self.seconds[router_id] = self.seconds.get(router_id, 0.0) + now - since
        self._load[router_id] -= mbps

    def note_report(self) -> None:
        """Keep what the routers carry at a report."""
        self.carried.append(dict(self._load))

    def end(self, now: float) -> None:
        """Nothing comes any more."""
        for endpoint_id in self.at:
            self.leave(endpoint_id, now)


@dataclass(frozen=True)
class Comparison:
    """A replay beside what it is compared with."""

    before: Course
    after: Course
    recorded: bool
    """Whether `before` is what was answered then, not a replay itself."""

    @property
    def summary(self) -> str:
        """`3 switches instead of 41`."""
        count = self.after.switches
        return f"{count} switch{'' if count == 1 else 'es'} instead of {self.before.switches}"


def compare(
    lines: Sequence[Recorded], present: Algorithm, other: Algorithm, endpoints: int | None = None
) -> Comparison:
    """Replay `lines` with the algorithm `other`, beside what was, or `present` would have done.

    `endpoints` is how many ask where no decision was recorded.
    """
    reports = [line for line in lines if isinstance(line, MetricsReport)]
    recorded = [line for line in lines if isinstance(line, Asked)]
    interval = report_interval(reports)
    if recorded:
        asks = [_recorded(line) for line in recorded]
        before = _run(reports, asks, None, interval, None)
    else:
        most_tunnels = max(report.active_tunnels for report in reports)
        count = endpoints or max(most_tunnels, 1)
        asks = invented(reports, count, interval)
        before = _run(reports, asks, present, interval, None)
    after = _run(reports, asks, other, interval, before)
    return Comparison(before, after, bool(recorded))


def report_interval(reports: Iterable[MetricsReport]) -> float:
    """The usual time between two reports of a router."""
    last: dict[str, float] = {}
    gaps = []
    for report in reports:
        if report.server_id in last:
            gaps.append(report.timestamp - last[report.server_id])
        last[report.server_id] = report.timestamp
    usual = statistics.median(gaps) if gaps else 0.0
    return usual if usual > 0 else _USUAL_INTERVAL_S


def invented(reports: Sequence[MetricsReport], count: int, interval: float) -> list[Ask]:
    """Questions of `count` endpoints over the time of the recording."""
    phases = random.Random(0)  # noqa: S311 - the same for each algorithm  # nosec B311
    begin, end = reports[0].timestamp, reports[-1].timestamp
    asks = []
    for number in range(1, count + 1):
        at = begin + interval + phases.uniform(0.0, interval)
        while at <= end:
            asks.append(Ask(at, f"endpoint_{number}", None, None))
            at += interval
    return sorted(asks, key=lambda ask: ask.at)


def _recorded(line: Asked) -> Ask:
    candidates = None if line.candidates is None else tuple(line.candidates)
    return Ask(
        line.timestamp, line.endpoint_id, candidates, line.mbps, line.current, line.router_id
    )


def _run(
    reports: Sequence[MetricsReport],
    asks: Sequence[Ask],
    algorithm: Algorithm | None,
    interval: float,
    base: Course | None,
) -> Course:
    """The course with `algorithm`, or as answered; reports are corrected by `base`."""
    course = Course()
    balancer = Balancer(algorithm, interval, seed=0) if algorithm is not None else None
    begin = min(reports[0].timestamp, asks[0].at if asks else reports[0].timestamp)
    mean = _mean_mbps(reports, asks)
    events: list[MetricsReport | Ask] = sorted(
        [*reports, *asks], key=lambda e: e.at if isinstance(e, Ask) else e.timestamp
    )
    number = 0
    for event in events:
        if isinstance(event, Ask):
            answer = _answer(event, balancer, course, begin)
            if answer is not None:
                mbps = mean if event.mbps is None else event.mbps
                course.place(event.endpoint_id, answer, mbps, event.at)
            continue
        course.note_report()
        if balancer is not None:
            report = event
            if base is not None:
                report = corrected(event, course.carried[number], base.carried[number])
            # One that is refused was refused then, too.
            with suppress(ReportRefused, RegistryFull):
                balancer.report(report, event.timestamp - begin, event.timestamp)
        number += 1
    course.end(max(reports[-1].timestamp, asks[-1].at if asks else 0.0))
    return course


def _answer(ask: Ask, balancer: Balancer | None, course: Course, begin: float) -> str | None:
    if balancer is None:
        return ask.answered
    current = course.at.get(ask.endpoint_id, ask.current)
    try:
        decision = balancer.decide(
            ask.endpoint_id, ask.candidates, current, ask.at - begin, ask.mbps
        )
    except NoRouter:
        return current
    return decision.router.report.server_id


def _mean_mbps(reports: Sequence[MetricsReport], asks: Sequence[Ask]) -> float:
    """What an endpoint that does not say it is taken to carry."""
    by_router: dict[str, list[float]] = {}
    for report in reports:
        by_router.setdefault(report.server_id, []).append(report.bandwidth_mbps)
    together = sum(statistics.fmean(values) for values in by_router.values())
    return together / max(len({ask.endpoint_id for ask in asks}), 1)


def corrected(
    report: MetricsReport, now: Mapping[str, float], then: Mapping[str, float]
) -> MetricsReport:
    """A report of a router that carries the endpoints of `now`, not of `then`."""
    router_id = report.server_id
    change = now.get(router_id, 0.0) - then.get(router_id, 0.0)
    mbps = max(report.bandwidth_mbps + change, 0.0)
    cpu = report.cpu_percent
    if report.bandwidth_mbps > 0:
        cpu = min(cpu * mbps / report.bandwidth_mbps, 100.0)
    return report.model_copy(update={"bandwidth_mbps": mbps, "cpu_percent": cpu})
