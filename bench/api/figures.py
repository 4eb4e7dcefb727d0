"""What is told of the server of the APIs, and what is promised of it. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.balancer.load import Answers
from bench.table import number
from bench.targets import Target


@dataclass(frozen=True)
class Figures:
    """Of one run; connections are kept but where it says otherwise."""

    hello: Answers
    """A bare Flask app behind the same server, by TLS."""
    decision: Answers
    waitress: Answers
    """Decisions of the same app behind waitress, by plain HTTP."""
    honest: Mapping[str, Answers]
    """Of clients with a connection for each question, by the attack meanwhile."""
    idle_mb: float
    """Resident, with the idle connections open."""
    idle: int
    """How many those are."""

    @property
    def honest_p99_ms(self) -> float:
        """Under the worst of the attacks."""
        return max(answers.p99_ms for answers in self.honest.values())


def rows(figures: Figures) -> list[list[str]]:
    """A table with a line for each measurement."""
    found = [["", "a second", "p50 ms", "p99 ms", "failed", "server CPU µs"]]
    named = {
        "hello, TLS": figures.hello,
        "decision, TLS": figures.decision,
        "decision, waitress, plain": figures.waitress,
        **{f"decision, {attack}": answers for attack, answers in figures.honest.items()},
    }
    for name, answers in named.items():
        found.append(
            [
                name,
                number(answers.per_second, 0),
                number(answers.p50_ms, 2),
                number(answers.p99_ms, 2),
                str(answers.failed),
                number(answers.server_us, 0),
            ]
        )
    return found


def targets(figures: Figures) -> list[Target]:
    """The promises."""
    decisions = figures.decision.per_second
    return [
        Target("decisions / hello", decisions / figures.hello.per_second, 0.7, at_most=False),
        Target(
            "decisions / waitress's, plain",
            decisions / figures.waitress.per_second,
            1.0,
            at_most=False,
        ),
        Target("p99 of honest clients, ms", figures.honest_p99_ms, 250, at_most=True),
    ]


def summary(figures: Figures) -> dict[str, float]:
    """The closing JSON line."""
    return {
        "decision_rps": round(figures.decision.per_second, 1),
        "hello_rps": round(figures.hello.per_second, 1),
        "honest_p99_ms": round(figures.honest_p99_ms, 2),
        "idle_10000_mb": round(figures.idle_mb, 1),
    }
