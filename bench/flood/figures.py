"""What is told of a routing server under floods, and what is promised of it. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass, field

from bench.flood.kinds import DROPPED, Flood
from bench.table import number
from bench.targets import Target

LOST_MS = 1000.0
"""What a ping counts whose answer has not come by then."""
MOST_GROWTH_MB = 2.0
"""Tables of bounded size fill; a byte kept of each datagram would be ten times as much."""
_ENOUGH_SENT = 0.95


@dataclass
class Reading:
    """One measurement."""

    gbps: float
    """Of the TCP flow, as its receiver has it."""
    pings: int
    replies_ms: list[float]
    suspicions: int = 0
    router_percent: float = 0.0
    """Of one processor."""
    unread_a_second: float = 0.0
    """What the router's socket had no room for."""
    tracked: int = 0
    """Flows in the kernel's connection tracking on the router's host, at the end."""
    rss_mb: float = 0.0
    sent_a_second: float = 0.0
    """Junk."""


@dataclass
class Readings:
    """All of one flood, or all of its baseline."""

    of: list[Reading] = field(default_factory=list)

    @property
    def gbps(self) -> float:
        return statistics.median(reading.gbps for reading in self.of)

    @property
    def ping_p99_ms(self) -> float:
        """Of the pings of all rounds together."""
        return p99_ms(
            [reply for reading in self.of for reply in reading.replies_ms],
            sum(reading.pings for reading in self.of),
        )

    @property
    def suspicions(self) -> int:
        return sum(reading.suspicions for reading in self.of)

    @property
    def sent_a_second(self) -> float:
        return statistics.median(reading.sent_a_second for reading in self.of)


def p99_ms(replies_ms: Sequence[float], pings: int) -> float:
    """Of so many pings at least; those without a reply by then count as LOST_MS."""
    lost = max(0, pings - len(replies_ms))
    waits = sorted([*(min(reply, LOST_MS) for reply in replies_ms), *lost * [LOST_MS]])
    return waits[max(0, math.ceil(0.99 * len(waits)) - 1)]


@dataclass
class Comparison:
    """One flood: what nftables had dropped, and what came to the router."""

    baseline: Readings = field(default_factory=Readings)
    flooded: Readings = field(default_factory=Readings)

    @property
    def gbps_ratio(self) -> float:
        return self.flooded.gbps / self.baseline.gbps

    @property
    def ping_ratio(self) -> float:
        return self.flooded.ping_p99_ms / self.baseline.ping_p99_ms


@dataclass
class Figures:
    """Of a whole run; parts that were not asked for are empty."""

    floods: dict[Flood, Comparison] = field(default_factory=dict)
    handshakes: dict[str, list[float | None]] = field(default_factory=dict)
    """Seconds from the first HELLO until the tunnel is up; None: it was not waited for longer."""
    rss_before_mb: float = 0.0
    rss_most_mb: float = 0.0

    @property
    def rss_growth_mb(self) -> float:
        return max(0.0, self.rss_most_mb - self.rss_before_mb)


def slowest(seconds: Sequence[float | None]) -> float | None:
    """None where one did not come to an end, which is slower than all."""
    known = [one for one in seconds if one is not None]
    return max(known) if known and len(known) == len(seconds) else None


_HEAD = (
    "flood",
    "sent/s",
    "Gb/s dropped",
    "flooded",
    "ratio",
    "ping p99 ms dropped",
    "flooded",
    "ratio",
    "suspicions",
    "router CPU %",
    "unread/s",
    "tracked",
)


def rows(figures: Figures) -> list[Sequence[str]]:
    """A line for each flood; empty where none was measured."""
    if not figures.floods:
        return []
    found: list[Sequence[str]] = [_HEAD]
    for flood, compared in figures.floods.items():
        base, flooded = compared.baseline, compared.flooded
        found.append(
            [
                str(flood),
                number(flooded.sent_a_second, 0),
                number(base.gbps, 2),
                number(flooded.gbps, 2),
                number(compared.gbps_ratio, 2),
                number(base.ping_p99_ms, 1),
                number(flooded.ping_p99_ms, 1),
                number(compared.ping_ratio, 1),
                str(flooded.suspicions),
                number(statistics.median(one.router_percent for one in flooded.of), 0),
                number(statistics.median(one.unread_a_second for one in flooded.of), 0),
                str(max(one.tracked for one in flooded.of)),
            ]
        )
    return found


def too_slow(figures: Figures) -> list[str]:
    """Of which floods less was sent than was asked for: they show nothing."""
    return [
        f"{flood}: only {least:.0f} a second could be sent"
        for flood, compared in figures.floods.items()
        if (least := min(compared.baseline.sent_a_second, compared.flooded.sent_a_second))
        < _ENOUGH_SENT * flood.rate
    ]


def handshake_lines(figures: Figures, gave_up_s: float) -> list[str]:
    """How long each took."""
    return [
        f"handshake, junk HELLOs {source}: "
        + ", ".join(
            f"none within {gave_up_s:g} s" if one is None else f"{one:.2f} s" for one in seconds
        )
        for source, seconds in figures.handshakes.items()
    ]


def targets(figures: Figures, gave_up_s: float) -> list[Target]:
    """The promises; of what nothing tells apart from the session only that it is not suspected."""
    found = []
    for flood, compared in figures.floods.items():
        if not flood.kind.own:
            found += [
                Target(f"{flood}: Gb/s / dropped", compared.gbps_ratio, 0.9, at_most=False),
                Target(f"{flood}: ping p99 / dropped", compared.ping_ratio, 3, at_most=True),
            ]
        found.append(
            Target(f"{flood}: false suspicions", compared.flooded.suspicions, 0, at_most=True)
        )
    if figures.floods:
        found.append(
            Target("memory's growth, MB", figures.rss_growth_mb, MOST_GROWTH_MB, at_most=True)
        )
    for source, seconds in figures.handshakes.items():
        if source == DROPPED:
            continue
        worst = slowest(seconds)
        found.append(
            Target(
                f"handshake, junk {source}, s, the slowest of {len(seconds)}",
                gave_up_s if worst is None else worst,
                1,
                at_most=True,
            )
        )
    return found


def summary(figures: Figures) -> dict[str, object]:
    """The last line. `gbps` and `ping_p99_ms` are medians of the baselines."""
    compared = figures.floods
    baselines = [one.baseline for one in compared.values()]
    return {
        "gbps": _median([one.gbps for one in baselines], 3),
        "gbps_flooded": {str(flood): round(one.flooded.gbps, 3) for flood, one in compared.items()},
        "ping_p99_ms": _median([one.ping_p99_ms for one in baselines], 2),
        "ping_p99_ms_flooded": {
            str(flood): round(one.flooded.ping_p99_ms, 2) for flood, one in compared.items()
        },
        "false_suspicions": sum(one.flooded.suspicions for one in compared.values()),
        "rss_growth_mb": round(figures.rss_growth_mb, 2),
        "handshake_s": {
            source: None if (worst := slowest(seconds)) is None else round(worst, 3)
            for source, seconds in figures.handshakes.items()
        },
    }


def _median(values: Sequence[float], digits: int) -> float | None:
    return round(statistics.median(values), digits) if values else None
