"""What the trials of one fault amount to. Pure."""

from __future__ import annotations

import math
import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.failover.trace import Outage


@dataclass(frozen=True)
class Trial:
    """One fault, and what it did."""

    router: str
    outage: Outage
    back_s: float | None
    """Until both tunnels were healthy again, from where it could begin: the end of a fault that
    lasts, else the fault itself. None where that makes no sense."""
    tcp_broken: str | None
    """What broke the TCP flow, if anything did."""
    inject_ms: float
    """How long the injection took."""
    outlasted: bool = False
    """Whether the traffic came back only when the fault was over, if it did."""


def percentile(values: Sequence[float], percent: float) -> float:
    """By nearest rank: the least value that `percent` of them do not exceed."""
    rank = max(1, math.ceil(len(values) * percent / 100))
    return sorted(values)[rank - 1]


@dataclass(frozen=True)
class Summary:
    """The trials of one fault, one or more."""

    trials: Sequence[Trial]

    def gap_ms(self, percent: float) -> float:
        return percentile([trial.outage.gap_ms for trial in self.trials], percent)

    @property
    def gaps_ms(self) -> list[float]:
        return [trial.outage.gap_ms for trial in self.trials]

    @property
    def later_ms(self) -> float:
        return max(trial.outage.later_ms for trial in self.trials)

    @property
    def lost_up_mean(self) -> float:
        return statistics.fmean(trial.outage.lost_up for trial in self.trials)

    @property
    def lost_down_mean(self) -> float:
        return statistics.fmean(trial.outage.lost_down for trial in self.trials)

    @property
    def lost_down_beyond(self) -> float:
        """Mean of what was lost downstream beside the packets of the gap itself.

        At 1,000 packets a second a gap of as many milliseconds explains as many losses.
        """
        return statistics.fmean(
            max(0.0, trial.outage.lost_down - trial.outage.gap_ms) for trial in self.trials
        )

    @property
    def repeated_mean(self) -> float:
        return statistics.fmean(trial.outage.repeated for trial in self.trials)

    @property
    def tcp_broken(self) -> int:
        return sum(trial.tcp_broken is not None for trial in self.trials)

    @property
    def outlasted(self) -> int:
        """Trials that the system has not mended: their gaps say how long the fault was."""
        return sum(trial.outlasted for trial in self.trials)

    @property
    def backs_s(self) -> list[float]:
        return [trial.back_s for trial in self.trials if trial.back_s is not None]

    def report(self) -> dict[str, float]:
        """What the closing JSON line says of the fault."""
        return {
            "trials": len(self.trials),
            "gap_ms_p50": round(self.gap_ms(50), 2),
            "gap_ms_p99": round(self.gap_ms(99), 2),
            "lost_up_mean": round(self.lost_up_mean, 3),
            "lost_down_mean": round(self.lost_down_mean, 3),
            "tcp_broken": self.tcp_broken,
        }
