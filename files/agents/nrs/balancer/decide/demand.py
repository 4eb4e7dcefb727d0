"""What one endpoint is taken to carry, and what that costs a router in score. Pure.

An endpoint may say what it carries. Of one that does not, the routers' reports say what all carry
together, and the load balancer knows how many they are.
"""

from __future__ import annotations

from typing import NamedTuple

from nrs.balancer.decide.algorithm import Weights

LEAST_LOAD = 0.1
FEW_ENDPOINTS = 100
MOST_TIMES_MEAN = 20.0
"""More than so many times the mean is not believed of a single endpoint."""

_MOST_CPU_RATIO = 10.0


class Totals(NamedTuple):
    """Sums over the routers that report."""

    mbps: float
    capacity_mbps: float
    cpu: float
    """Of the used shares of their CPUs."""
    bandwidth: float
    """Of the used shares of their bandwidth."""


def per_endpoint(totals: Totals, endpoints: int) -> float:
    """Mb/s of an endpoint in the mean, where `endpoints` share the fleet.

    Together they are taken to fill at least `LEAST_LOAD` of it: before the first traffic
    everybody would otherwise weigh nothing, and all could be sent to one router.
    """
    least = LEAST_LOAD * totals.capacity_mbps / max(endpoints, FEW_ENDPOINTS)
    return max(totals.mbps / max(endpoints, 1), least)


def believed(stated: float | None, mean: float) -> float:
    """Mb/s of an endpoint that states so much, or nothing."""
    return mean if stated is None else min(stated, MOST_TIMES_MEAN * mean)


def cpu_ratio(totals: Totals) -> float:
    """How much of a CPU goes with a share of the bandwidth."""
    if totals.bandwidth <= 0:
        return 1.0
    return min(totals.cpu / totals.bandwidth, _MOST_CPU_RATIO)


def cost_per_mbps(max_bandwidth_mbps: float, ratio: float, weights: Weights) -> float:
    """What a Mb/s more takes off a router's score.

    Memory hardly moves with an endpoint, and neither do connections: an endpoint keeps its
    tunnels to several routers whichever carries its traffic.
    """
    return (weights.bandwidth + weights.cpu * ratio) / weights.total / max_bandwidth_mbps
