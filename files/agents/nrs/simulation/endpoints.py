"""Modelled access endpoints: where they are, what they carry, whose advice they can follow."""

from __future__ import annotations

import random
from collections.abc import Sequence

from nrs.endpoint.damping import Damping
from nrs.simulation.scenario import Scenario

_RECONNECT_S = 1.0


class SimulatedEndpoint:
    """An endpoint: keeps a tunnel to each candidate, uses one, has a demand."""

    __slots__ = (
        "asked_at",
        "at",
        "burst",
        "candidates",
        "demand",
        "endpoint_id",
        "holds",
        "mean",
        "moves",
        "names",
        "wander",
    )

    def __init__(
        self, endpoint_id: str, candidates: tuple[int, ...], names: tuple[str, ...], mean: float
    ) -> None:
        """`candidates` are indices of routers, the quickest first, and `names` theirs."""
        self.endpoint_id = endpoint_id
        self.candidates = candidates
        self.names = names
        self.mean = self.demand = mean
        self.at = candidates[0]
        self.asked_at = 0.0
        self.wander = self.burst = 1.0
        self.moves = 0
        self.holds: dict[int, tuple[Damping, float]] = {}
        """Of the tunnels that have failed: how that is held against them, and since when well."""

    def failed(self, router: int, now: float) -> None:
        """The tunnel to a router has failed."""
        damping = self.holds.get(router, (Damping(), 0.0))[0]
        damping.failed(now)
        self.holds[router] = damping, float("inf")

    def recovered(self, router: int, now: float) -> None:
        """A router that this endpoint had lost answers again."""
        held = self.holds.get(router)
        if held is not None:
            self.holds[router] = held[0], now + _RECONNECT_S

    def trusts(self, router: int, now: float) -> bool:
        """Whether a tunnel is as good as others, so that advice to use it is followed."""
        held = self.holds.get(router)
        return held is None or now - held[1] >= held[0].hold_s(now)


def endpoints(scenario: Scenario, randomness: random.Random) -> list[SimulatedEndpoint]:
    """All of a scenario's, each at the quickest of its candidates."""
    routers = range(len(scenario.capacities))
    names = [f"router_{number + 1}" for number in routers]
    demands = _demands(scenario, randomness)
    found = []
    for number, demand in enumerate(demands):
        candidates = tuple(randomness.sample(routers, scenario.candidates_each))
        found.append(
            SimulatedEndpoint(
                f"endpoint_{number + 1}", candidates, tuple(names[c] for c in candidates), demand
            )
        )
    return found


def _demands(scenario: Scenario, randomness: random.Random) -> Sequence[float]:
    drawn = [randomness.lognormvariate(0.0, scenario.spread) for _ in range(scenario.endpoints)]
    scale = scenario.mean_load * sum(scenario.capacities) / sum(drawn)
    return [scale * value for value in drawn]
