"""What is printed."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence

from bench.failover import histogram, promises
from bench.failover.faults import FAULTS
from bench.failover.summary import Summary, Trial, percentile
from bench.table import number, plain

_HEAD = (
    "fault",
    "trials",
    "gap ms p50",
    "p99",
    "max",
    "lost up",
    "lost down",
    "repeated",
    "tcp broken",
    "back s p50",
    "max",
    "later ms",
    "target",
)


def of_trial(trial: Trial) -> str:
    """One trial in a line."""
    seen = trial.outage
    parts = [
        f"{trial.router}: gap {seen.gap_ms:.1f} ms",
        f"lost {seen.lost_up} up, {seen.lost_down} down",
    ]
    if trial.outlasted:
        parts.append("not mended while the fault lasted")
    if trial.back_s is not None:
        parts.append(f"two tunnels after {trial.back_s:.2f} s")
    if trial.tcp_broken is not None:
        parts.append(f"TCP: {trial.tcp_broken}")
    return ", ".join(parts)


def rows(summaries: Mapping[str, Summary]) -> list[Sequence[str]]:
    """The table; empty without faults and moves."""
    if not summaries:
        return []
    return [_HEAD, *(_row(name, own) for name, own in summaries.items())]


def notes(
    summaries: Mapping[str, Summary], false_failovers: tuple[int, int] | None
) -> Iterator[str]:
    """What belongs to the table: what the machine does by itself, and what is not in columns."""
    if summaries:
        yield _baseline(summaries)
    for name, own in summaries.items():
        if own.outlasted:
            yield (
                f"{name}: in {own.outlasted} of {len(own.trials)} trials traffic did not come"
                " back before the fault was over"
            )
    if false_failovers is not None:
        minutes, count = false_failovers
        yield f"false failovers in {minutes} minutes: {count}"


def lines(
    summaries: Mapping[str, Summary], false_failovers: tuple[int, int] | None, slack: float
) -> Iterator[str]:
    """Table, notes, histograms and targets."""
    if summaries:
        yield from ["", *plain(rows(summaries)), "", *notes(summaries, None)]
        for name, own in summaries.items():
            yield ""
            yield f"{name}: gaps in ms"
            yield from histogram.lines(own.gaps_ms)
    yield ""
    yield from map(str, promises.of_all(summaries, false_failovers, slack))


def _row(name: str, own: Summary) -> list[str]:
    backs = own.backs_s
    return [
        name,
        str(len(own.trials)),
        number(own.gap_ms(50), 1),
        number(own.gap_ms(99), 1),
        number(max(own.gaps_ms), 1),
        number(own.lost_up_mean, 2),
        number(own.lost_down_mean, 2),
        number(own.repeated_mean, 2),
        str(own.tcp_broken),
        number(percentile(backs, 50) if backs else None, 2),
        number(max(backs) if backs else None, 2),
        number(own.later_ms, 1),
        promises.in_short(name),
    ]


def _baseline(summaries: Mapping[str, Summary]) -> str:
    """How far gaps can be told from noise."""
    before = [t.outage.before_ms for own in summaries.values() for t in own.trials]
    lost = sum(t.outage.lost_before for own in summaries.values() for t in own.trials)
    faults = [own for name, own in summaries.items() if name in FAULTS]
    inject = [trial.inject_ms for own in faults for trial in own.trials]
    return (
        "longest time between two echoes in the second before, ms:"
        f" p50 {percentile(before, 50):.1f}, p99 {percentile(before, 99):.1f},"
        f" max {max(before):.1f}; {lost} packets lost in it"
    ) + (f"; faults took p50 {percentile(inject, 50):.2f} ms to inject" if inject else "")


def closing_line(summaries: Mapping[str, Summary], false_failovers: tuple[int, int] | None) -> str:
    """One JSON object."""
    found: dict[str, dict[str, float]] = {name: own.report() for name, own in summaries.items()}
    if false_failovers is not None:
        minutes, count = false_failovers
        found["false_failovers"] = {"minutes": minutes, "count": count}
    return json.dumps(found)
