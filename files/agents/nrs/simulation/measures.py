"""What a simulation is judged by. Pure: samples in, figures out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean
from typing import NamedTuple

EVEN = 1.15
"""Maximum over mean load up to which the load counts as even."""

SETTLE_WITHIN_S = 180.0
"""How long that may take after a router's death or return."""

EVEN_FOR_S = 60.0
"""It has to stay even for this long to count as settled."""


class Sample(NamedTuple):
    """The loads of the routers in service at one moment, relative to what they can carry."""

    at: float
    least: float
    mean: float
    most: float
    each: tuple[float, ...]
    """Of every router, 0 for those out of service; empty where there are too many to keep."""

    @property
    def max_over_mean(self) -> float:
        """1 where the load is spread evenly, and where there is none."""
        return self.most / self.mean if self.mean > 0 else 1.0


@dataclass(frozen=True)
class Figures:
    """One run."""

    switches_per_endpoint_hour: float
    max_over_mean: float
    """The mean over time."""
    worst_max_over_mean: float
    overloaded_percent: float
    """Of the time: some router was offered more than it can carry."""
    settle_s: float | None
    """From the event until the load is even and stays so; None where it did not, or none was."""
    most_moves: int
    """Of one endpoint, from the event on, else from the warm-up on."""
    wall_s: float


def figures(
    samples: Sequence[Sample],
    moves: Sequence[float],
    endpoints: int,
    *,
    event_at: float | None,
    most_moves: int,
    wall_s: float,
) -> Figures:
    """The figures of a run; `moves` are the times of all moves after the warm-up."""
    hours = max(samples[-1].at - samples[0].at, 1.0) / 3600
    uneven = [sample.max_over_mean for sample in samples]
    return Figures(
        switches_per_endpoint_hour=len(moves) / endpoints / hours,
        max_over_mean=sum(uneven) / len(uneven),
        worst_max_over_mean=max(uneven),
        overloaded_percent=100 * sum(sample.most > 1.0 for sample in samples) / len(samples),
        settle_s=None if event_at is None else settled(samples, event_at),
        most_moves=most_moves,
        wall_s=wall_s,
    )


def settled(samples: Sequence[Sample], event_at: float) -> float | None:
    """Seconds from `event_at` to the first sample of EVEN_FOR_S without an uneven one."""
    since: float | None = None
    for sample in samples:
        if sample.at < event_at:
            continue
        if sample.max_over_mean > EVEN:
            since = None
        elif since is None:
            since = sample.at
        if since is not None and sample.at - since >= EVEN_FOR_S:
            return since - event_at
    return None


def mean(runs: Sequence[Figures]) -> Figures:
    """Of several runs: the means, but of `worst_...`, `settle_s` and `most_moves` the worst."""
    settled_s = [run.settle_s for run in runs]
    known = [seconds for seconds in settled_s if seconds is not None]
    return Figures(
        switches_per_endpoint_hour=fmean(run.switches_per_endpoint_hour for run in runs),
        max_over_mean=fmean(run.max_over_mean for run in runs),
        worst_max_over_mean=max(run.worst_max_over_mean for run in runs),
        overloaded_percent=fmean(run.overloaded_percent for run in runs),
        settle_s=max(known) if len(known) == len(runs) else None,
        most_moves=max(run.most_moves for run in runs),
        wall_s=sum(run.wall_s for run in runs),
    )
