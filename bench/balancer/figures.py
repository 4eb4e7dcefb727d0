"""What is told of a load balancer, and what is promised of it. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bench.balancer.load import Answers
from bench.table import number
from bench.targets import Target


@dataclass(frozen=True)
class Figures:
    """Of one run."""

    hello: Answers
    decision: Answers
    metrics: Answers
    at_half: Answers
    """Of questions that come at half of the decisions' rate."""
    rss_mb: float

    @property
    def ratio(self) -> float:
        """Decisions for each hello."""
        return self.decision.per_second / self.hello.per_second


def rows(figures: Figures) -> list[list[str]]:
    """A table with a line for each kind of request."""
    found = [["", "a second", "p50 ms", "p99 ms", "failed", "server CPU µs", "client busy"]]
    for name, answers in (
        ("hello", figures.hello),
        ("decision", figures.decision),
        ("metrics", figures.metrics),
        ("decision at half rate", figures.at_half),
    ):
        found.append(
            [
                name,
                number(answers.per_second, 0),
                number(answers.p50_ms, 2),
                number(answers.p99_ms, 2),
                str(answers.failed),
                number(answers.server_us, 0),
                f"{100 * answers.client_busy:.0f} %",
            ]
        )
    return found


def targets(figures: Figures) -> list[Target]:
    """The promises."""
    return [
        Target("decisions / hello", figures.ratio, 0.7, at_most=False),
        Target("p99 at half of that rate, ms", figures.at_half.p99_ms, 20, at_most=True),
        Target("memory of the load balancer, MB", figures.rss_mb, 300, at_most=True),
    ]


def summary(figures: Figures) -> dict[str, float]:
    """The closing JSON line."""
    return {
        "decision_rps": round(figures.decision.per_second, 1),
        "hello_rps": round(figures.hello.per_second, 1),
        "metrics_rps": round(figures.metrics.per_second, 1),
        "p99_ms_at_half": round(figures.at_half.p99_ms, 2),
        "rss_mb": round(figures.rss_mb, 1),
    }
