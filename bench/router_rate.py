"""What a router has carried, and at what cost."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rate:
    """One measurement of one direction."""

    carried: float
    """Inner bytes."""
    seconds: float
    cpu_seconds: float

    @property
    def per_cpu_second(self) -> float:
        """Inner bytes."""
        return self.carried / self.cpu_seconds

    @property
    def gbps(self) -> float:
        return self.carried * 8 / self.seconds / 1e9

    @property
    def cpu_percent(self) -> float:
        """Of one processor."""
        return 100 * self.cpu_seconds / self.seconds


def both_ways(up: float, down: float) -> float:
    """The rate of as many bytes up as down: the times that they take add up."""
    return 2 / (1 / up + 1 / down)
