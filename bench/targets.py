"""What the project promises of its tunnel, held against measured figures."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.sample import Sample, ratio


@dataclass(frozen=True)
class Target:
    """A promise and the figure that it is about; None where it could not be measured."""

    text: str
    figure: float | None
    limit: float
    at_most: bool

    @property
    def met(self) -> bool | None:
        if self.figure is None:
            return None
        return self.figure <= self.limit if self.at_most else self.figure >= self.limit

    def __str__(self) -> str:
        verdict = {True: "met", False: "MISSED", None: "not measured"}[self.met]
        relation = "at most" if self.at_most else "at least"
        figure = "-" if self.figure is None else f"{self.figure:.2f}"
        return f"{verdict:12} {self.text}: {figure} ({relation} {self.limit:g})"


def of_tunnel(figures: Mapping[str, Sample]) -> list[Target]:
    """Those about `nrs-c` and `nrs-python`, where they were measured."""
    nothing = Sample()
    floor = figures.get("floor", nothing)
    wireguard = figures.get("wireguard-go", nothing)
    found: list[Target] = []
    for name, cpu_limit, small_limit in (("nrs-c", 1.15, 5.0), ("nrs-python", 1.8, 6.5)):
        if name not in figures:
            continue
        own = figures[name]
        per_gb = ratio(own.cpu_s_per_gb, floor.cpu_s_per_gb)
        found.append(Target(f"{name}: CPU per GB / floor", per_gb, cpu_limit, at_most=True))
        if name == "nrs-c":
            found += [
                Target(f"{name}: Gb/s / floor", ratio(own.gbps, floor.gbps), 0.9, at_most=False),
                Target(
                    f"{name}: Gb/s / wireguard-go",
                    ratio(own.gbps, wireguard.gbps),
                    6.0,
                    at_most=False,
                ),
            ]
        found += [
            Target(f"{name}: 64 B loss, %", own.small_loss_percent, 1.0, at_most=True),
            Target(f"{name}: CPU per 64 B packet, µs", own.small_us, small_limit, at_most=True),
        ]
    return found


def of_idle(percents: Mapping[str, float]) -> list[Target]:
    """Of idle agents, in percent of a core."""
    return [
        Target(f"{name}: idle, % of a core", percent, 0.5, at_most=True)
        for name, percent in percents.items()
    ]


def of_sessions(
    rate_ratio: float, rss_mb: float, handshake_s: float, sessions: int
) -> list[Target]:
    """Of a router with many sessions; memory and time are promised for 10,000."""
    share = sessions / 10_000
    return [
        Target("forwarding rate / one session's", rate_ratio, 0.9, at_most=False),
        Target("memory of the agent, MB", rss_mb, 150, at_most=True),
        Target("time of the handshakes, s", handshake_s, 15 * share, at_most=True),
    ]
