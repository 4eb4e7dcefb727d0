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
    libcrypto = figures.get("floor-libcrypto", nothing)
    wireguard = figures.get("wireguard-go", nothing)
    found: list[Target] = []
    if (own := figures.get("nrs-c")) is not None:
        per_gb = own.cpu_s_per_gb
        found += [
            _most("nrs-c: CPU per GB / floor", ratio(per_gb, floor.cpu_s_per_gb), 1.15),
            _most(
                "nrs-c: CPU per GB / floor-libcrypto", ratio(per_gb, libcrypto.cpu_s_per_gb), 0.95
            ),
            _least("nrs-c: Gb/s / floor", ratio(own.gbps, floor.gbps), 0.9),
            _least("nrs-c: Gb/s / wireguard-go", ratio(own.gbps, wireguard.gbps), 6.0),
            _most("nrs-c: CPU per 64 B packet / floor", ratio(own.small_us, floor.small_us), 0.75),
            *_of_small("nrs-c", own, 0.0, 5.0),
        ]
    if (own := figures.get("nrs-python")) is not None:
        share = ratio(own.gbps, libcrypto.gbps)
        found.append(_least("nrs-python: Gb/s / floor-libcrypto", share, 0.28))
        found += _of_small("nrs-python", own, 1.0, 6.5)
    return found


def _of_small(name: str, own: Sample, loss: float, us: float) -> list[Target]:
    return [
        _most(f"{name}: 64 B loss, %", own.small_loss_percent, loss),
        _most(f"{name}: CPU per 64 B packet, µs", own.small_us, us),
    ]


def _most(text: str, figure: float | None, limit: float) -> Target:
    return Target(text, figure, limit, at_most=True)


def _least(text: str, figure: float | None, limit: float) -> Target:
    return Target(text, figure, limit, at_most=False)


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
