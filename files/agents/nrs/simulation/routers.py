"""Modelled routing servers: what they carry, and what they report of it."""

from __future__ import annotations

import math
import random

from nrs.api.messages import MetricsReport

_IDLE_CPU = 4.0
_FULL_CPU = 92.0
_CPU_NOISE = 1.5
_MEMORY = 30.0
_MEMORY_NOISE = 2.0
_BYTES_PER_PACKET = 800.0


class SimulatedRouter:
    """A router that carries the demand of the endpoints at it.

    After a planned move the flows that exist stay where they are and end one by one: what they
    still carry here, less what has yet to come here, fades with `flow_seconds`.
    """

    def __init__(
        self, number: int, capacity: float, flow_seconds: float, randomness: random.Random
    ) -> None:
        self.router_id = f"router_{number}"
        self.capacity = capacity
        self.alive = True
        self.draining = False
        self.tunnels = 0
        self._flow_seconds = flow_seconds
        self._random = randomness
        self._memory = _MEMORY + randomness.gauss(0.0, _MEMORY_NOISE)
        self._attached = 0.0
        self._lingering = 0.0
        self._tide = 1.0
        self._at = 0.0
        self._carried = 0.0
        self._reported_at = 0.0
        self._packets = 0

    def load(self, now: float) -> float:
        """Mb/s that are offered to it; more than its capacity where it is overloaded."""
        return (self._attached + self._faded(now)) * self._tide

    def attach(self, mbps: float, now: float, *, planned: bool) -> None:
        """An endpoint comes (or goes, where negative), with its flows unless it is planned."""
        self._advance(now)
        self._attached += mbps
        if planned and self._flow_seconds:
            self._lingering -= mbps

    def change(self, mbps: float, now: float) -> None:
        """The endpoints that are here carry more, or less where negative."""
        self._advance(now)
        self._attached += mbps

    def turn_tide(self, factor: float, now: float) -> None:
        """Everybody carries `factor` times their usual demand."""
        self._advance(now)
        self._tide = factor

    def forget_flows(self, now: float) -> None:
        """What lingers here is over: it has died, or begins anew."""
        self._advance(now)
        self._lingering = 0.0
        self._reported_at, self._carried, self._packets = now, 0.0, 0

    def report(self, now: float, wall: float) -> MetricsReport:
        """Its next report: rates are means since the one before."""
        self._advance(now)
        span = now - self._reported_at
        mbps = self._carried / span if span > 0 else 0.0
        busy = min(mbps / self.capacity, 1.0)
        cpu = _IDLE_CPU + _FULL_CPU * busy + self._random.gauss(0.0, _CPU_NOISE)
        self._packets += math.ceil(self._carried * 125_000 / _BYTES_PER_PACKET)
        self._reported_at, self._carried = now, 0.0
        return MetricsReport(
            server_id=self.router_id,
            server_name=self.router_id,
            timestamp=wall,
            cpu_percent=min(max(cpu, 0.0), 100.0),
            memory_percent=min(max(self._memory, 0.0), 100.0),
            bandwidth_mbps=mbps,
            active_tunnels=self.tunnels,
            total_rx_packets=self._packets,
            total_tx_packets=self._packets,
            draining=self.draining,
            max_bandwidth_mbps=self.capacity,
        )

    def _faded(self, now: float) -> float:
        if not self._lingering:
            return 0.0
        return self._lingering * math.exp((self._at - now) / self._flow_seconds)

    def _advance(self, now: float) -> None:
        span = now - self._at
        if span <= 0:
            return
        mbit = self._attached * span
        if self._lingering:
            left = self._faded(now)
            mbit += (self._lingering - left) * self._flow_seconds
            self._lingering = left if abs(left) > 1e-6 else 0.0
        self._carried += min(max(mbit * self._tide, 0.0), self.capacity * span)
        self._at = now
