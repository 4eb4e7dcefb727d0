"""The score of a routing server: the weighted headroom that it has left.

score = sum(weight x headroom) / sum(weight), between 0 (no room) and 1 (idle)
"""

from __future__ import annotations

from typing import NamedTuple

from nrs.api.messages import MetricsReport
from nrs.balancer.decide.algorithm import Algorithm, Weights


class Capacity(NamedTuple):
    """What a routing server can carry: Mb/s in its busier direction, and live tunnels."""

    max_bandwidth_mbps: float
    max_connections: int


class Headrooms(NamedTuple):
    """The unused share of each resource, 0 to 1."""

    cpu: float
    memory: float
    bandwidth: float
    connections: float


def capacity(report: MetricsReport, algorithm: Algorithm) -> Capacity:
    """The limits that the score goes by: as reported, else as configured, else as for all."""
    own = algorithm.routers.get(report.server_id)
    return Capacity(
        report.max_bandwidth_mbps
        or (own and own.max_bandwidth_mbps)
        or algorithm.max_bandwidth_mbps,
        report.max_connections or (own and own.max_connections) or algorithm.max_connections,
    )


def headrooms(report: MetricsReport, limits: Capacity) -> Headrooms:
    """What is left of each resource; bandwidth is that of the busier direction."""
    return Headrooms(
        cpu=_unused(report.cpu_percent, 100.0),
        memory=_unused(report.memory_percent, 100.0),
        bandwidth=_unused(report.bandwidth_mbps, limits.max_bandwidth_mbps),
        connections=_unused(report.active_tunnels, limits.max_connections),
    )


def score(room: Headrooms, weights: Weights) -> float:
    """The weighted mean of `room`, 0 to 1."""
    weighted = (
        weights.cpu * room.cpu
        + weights.memory * room.memory
        + weights.bandwidth * room.bandwidth
        + weights.connections * room.connections
    )
    return min(weighted / weights.total, 1.0)


def _unused(used: float, limit: float) -> float:
    return min(max(1.0 - used / limit, 0.0), 1.0)
