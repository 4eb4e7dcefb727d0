"""Reports as the tests of the load balancer need them."""

from __future__ import annotations

from typing import Any

from nrs.api.messages import MetricsReport

WALL = 1_700_000_000.0
"""What the wall clock shows at time 0 of a test."""


def fields(router_id: str, load: float = 0.0, **changes: Any) -> dict[str, Any]:
    """The body of a report with every resource used to `load`, 0 to 1."""
    number = int(router_id.rpartition("_")[2] or 0)
    packets = int(1000 * (changes.get("timestamp", WALL) - WALL)) % 10**9
    return {
        "server_id": router_id,
        "server_name": f"Router {number}",
        "timestamp": WALL,
        "cpu_percent": 100.0 * load,
        "memory_percent": 100.0 * load,
        "bandwidth_mbps": 1000.0 * load,
        "active_tunnels": round(100 * load),
        "total_rx_packets": packets,
        "total_tx_packets": packets,
        "internal_ip": f"10.0.0.{number}",
        "external_ip": f"2001:db8::{number}",
        **changes,
    }


def report(router_id: str, load: float = 0.0, **changes: Any) -> MetricsReport:
    """The same as a message."""
    return MetricsReport.model_validate(fields(router_id, load, **changes))
