"""What is simulated: endpoints, routers, their traffic, and what happens to them."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from nrs.balancer.decide.algorithm import Algorithm

MOST_CANDIDATES_BY_DEFAULT = 4


class ScenarioError(Exception):
    """A scenario that cannot be; the text names the field and what is wrong with it."""


class Happening(Enum):
    """What may become of a router."""

    DEATH = "death"
    """It falls silent: no packets, no reports."""
    RETURN = "return"
    DRAIN = "drain"
    UNDRAIN = "undrain"
    DOUBLE = "double"
    """It is given twice the capacity, and reports so."""


@dataclass(frozen=True)
class Event:
    """Something that happens to a router, counted from 1, `at` seconds after the start."""

    happening: Happening
    router: int
    at: float


@dataclass(frozen=True)
class Burst:
    """For `seconds`, a share of the endpoints carries `factor` times as much."""

    at: float
    seconds: float
    share: float
    factor: float


@dataclass(frozen=True)
class Scenario:
    """One simulation. Times in seconds, rates in Mb/s, shares from 0 to 1."""

    endpoints: int = 60
    capacities: tuple[float, ...] = (1000.0, 1000.0, 1000.0)
    mean_load: float = 0.5
    """Of the capacity of all routers together."""
    spread: float = 0.6
    """Sigma of the log-normal distribution of what endpoints carry."""
    wander: float = 0.2
    """Sigma by which an endpoint's own demand changes, about once a minute."""
    diurnal: float = 0.0
    """Amplitude of a daily sine, as a share of the mean."""
    day: float = 86400.0
    bursts: tuple[Burst, ...] = ()
    candidates: int | None = None
    """Routers that each endpoint has tunnels to; None: all of up to four, else three."""
    flow_seconds: float = 10.0
    """Mean time that a flow stays where it began after a planned move."""
    stating: bool = True
    """Whether endpoints say what they carry."""
    report_interval: float = 10.0
    poll_interval: float = 10.0
    """Of endpoints that are not told when to ask again."""
    sync: bool = False
    """Whether all reports and first polls are made at the same moments."""
    events: tuple[Event, ...] = ()
    duration: float = 1800.0
    warm_up: float = 300.0
    """What is measured begins after this."""
    algorithm: Algorithm = field(default_factory=Algorithm)

    def __post_init__(self) -> None:
        """Refuse what cannot be. Raises ScenarioError."""
        routers = len(self.capacities)
        for name, good, wanted in (
            ("endpoints", 1 <= self.endpoints <= 200_000, "1 to 200000"),
            ("routers", 1 <= routers <= 2000, "1 to 2000"),
            ("capacities", all(c > 0 for c in self.capacities), "above 0"),
            ("mean load", 0 < self.mean_load <= 10, "above 0, at most 10"),
            ("spread", 0 <= self.spread <= 3, "0 to 3"),
            ("wander", 0 <= self.wander <= 3, "0 to 3"),
            ("diurnal", 0 <= self.diurnal < 1, "0 to below 1"),
            ("day", self.day > 0, "above 0"),
            ("candidates", self.candidates is None or 1 <= self.candidates <= 64, "1 to 64"),
            ("flow seconds", self.flow_seconds >= 0, "0 or more"),
            ("report interval", self.report_interval > 0, "above 0"),
            ("poll interval", self.poll_interval > 0, "above 0"),
            ("warm-up", 0 <= self.warm_up < self.duration, "less than the duration"),
            (
                "event",
                all(1 <= e.router <= routers and e.at >= 0 for e in self.events),
                f"of a router from 1 to {routers}, at 0 s or later",
            ),
            (
                "burst",
                all(
                    b.at >= 0 and b.seconds > 0 and 0 <= b.share <= 1 and b.factor > 0
                    for b in self.bursts
                ),
                "at 0 s or later, for more than 0 s, of a share from 0 to 1, by a factor above 0",
            ),
        ):
            if not good:
                raise ScenarioError(f"{name}: must be {wanted}")

    @property
    def candidates_each(self) -> int:
        """How many routers an endpoint has tunnels to."""
        routers = len(self.capacities)
        if self.candidates is not None:
            return min(self.candidates, routers)
        return routers if routers <= MOST_CANDIDATES_BY_DEFAULT else 3
