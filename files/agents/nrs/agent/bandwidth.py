"""How much goes through an agent's tunnels, from what it has counted. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Bandwidth:
    """Tunnel bytes at a time, for the rate since an earlier one."""

    when: float
    rx_bytes: int
    tx_bytes: int

    def mbps_since(self, earlier: Bandwidth) -> float:
        """Mb/s of the busier direction, as links carry both at once."""
        seconds = self.when - earlier.when
        most = max(self.rx_bytes - earlier.rx_bytes, self.tx_bytes - earlier.tx_bytes, 0)
        return most * 8 / 1e6 / seconds if seconds > 0 else 0.0
