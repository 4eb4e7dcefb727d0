"""What a routing server can carry: as it reports, else as configured, else as all. Pure."""

from __future__ import annotations

from typing import NamedTuple

from nrs.api.messages import MetricsReport
from nrs.balancer.decide.algorithm import Algorithm


class Capacity(NamedTuple):
    """See `scoring.Capacity`."""

    max_bandwidth_mbps: float
    max_connections: int


def capacity(report: MetricsReport, algorithm: Algorithm) -> Capacity:
    """The limits that the score of `report` goes by."""
    own = algorithm.routers.get(report.server_id)
    return Capacity(
        report.max_bandwidth_mbps
        or (own and own.max_bandwidth_mbps)
        or algorithm.max_bandwidth_mbps,
        report.max_connections or (own and own.max_connections) or algorithm.max_connections,
    )
