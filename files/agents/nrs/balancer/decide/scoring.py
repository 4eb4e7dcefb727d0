"""The score of a routing server: the weighted headroom that it has left.

score = sum(weight x headroom) / sum(weight), between 0 (no room) and 1 (idle)
"""

from __future__ import annotations

from typing import NamedTuple, Protocol

from nrs.balancer.decide.algorithm import Weights


class Load(Protocol):
    """The figures of a routing server that its score depends on."""

    @property
    def cpu_percent(self) -> float:
        """0 to 100."""

    @property
    def memory_percent(self) -> float:
        """0 to 100."""

    @property
    def bandwidth_mbps(self) -> float:
        """Megabits a second, both directions together."""

    @property
    def active_tunnels(self) -> int:
        """Tunnels with a live session."""


class Capacity(Protocol):
    """What a routing server can carry."""

    @property
    def max_bandwidth_mbps(self) -> float:
        """Megabits a second, as `bandwidth_mbps` counts them."""

    @property
    def max_connections(self) -> int:
        """Tunnels with a live session."""


class Headrooms(NamedTuple):
    """The unused share of each resource, 0 to 1."""

    cpu: float
    memory: float
    bandwidth: float
    connections: float


def headrooms(load: Load, capacity: Capacity) -> Headrooms:
    """What `load` leaves of each resource."""
    return Headrooms(
        cpu=_unused(load.cpu_percent, 100.0),
        memory=_unused(load.memory_percent, 100.0),
        bandwidth=_unused(load.bandwidth_mbps, capacity.max_bandwidth_mbps),
        connections=_unused(load.active_tunnels, capacity.max_connections),
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


def _unused(used: float, capacity: float) -> float:
    return min(max(1.0 - used / capacity, 0.0), 1.0)
