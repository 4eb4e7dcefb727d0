"""One trial: traffic, a fault or a planned move, and what has become of the traffic."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from bench.failover.balancer import Balancer
from bench.failover.faults import Fault
from bench.failover.load import Traffic
from bench.failover.moves import Move
from bench.failover.rig import Rig
from bench.failover.summary import Trial
from bench.failover.trace import outage
from testbed.failed import Failed

_WARM_S = 1.0
_STEADY_S = 1.0
"""Tunnels that were healthy for this long are taken to stay so."""
_BACK_S = 60.0
_MOVE_S = 30.0
_ONSET_MS = 150.0
_POLL_S = 0.01


class Left(Failed):
    """The endpoint had left its router before anything was done to it."""


@dataclass(frozen=True)
class Setting:
    """What all trials have in common."""

    rig: Rig
    mbps: int

    def traffic(self, number: int) -> Traffic:
        """Downloads and uploads take turns, out of step with the routers."""
        return Traffic(self.rig, self.mbps, "down" if number // 2 % 2 else "up")

    def warm(self, router: str) -> None:
        """Let traffic flow through a router. Raises Left."""
        time.sleep(_WARM_S)
        if self.rig.active() != router:
            raise Left(f"the endpoint had left {router} before the trial began")


def of_fault(setting: Setting, fault: Fault, router: str, number: int) -> Trial:
    """Hit the router that the endpoint uses. Raises Failed, OSError."""
    ready = fault.prepare(setting.rig, router)
    try:
        with setting.traffic(number) as traffic:
            setting.warm(router)
            at = time.monotonic_ns()
            ready.inject()
            took = time.monotonic_ns() - at
            watch = Health(setting.rig)
            begin = at / 1e9
            if fault.lasts_s:
                watch.until(begin + fault.lasts_s)
                begin = time.monotonic()
                watch.during(ready.heal)
            back = watch.until_steady(begin)
            broken = traffic.end_bulk()
            trace = traffic.end()
    finally:
        ready.heal()
    found = outage(trace, at, _ONSET_MS)
    outlasted = not found.recovered or 0 < fault.lasts_s < found.gap_ms / 1000
    return Trial(router, found, back, broken, took / 1e6, outlasted)


def of_move(setting: Setting, move: Move, balancer: Balancer, router: str, number: int) -> Trial:
    """Make the endpoint's traffic leave its router. Raises Failed, OSError."""
    prepared = move.prepare(setting.rig, balancer, router)
    try:
        with setting.traffic(number) as traffic:
            setting.warm(router)
            at = time.monotonic_ns()
            watch = Health(setting.rig)
            watch.during(prepared.begin)
            took = time.monotonic_ns() - at
            watch.until(at / 1e9 + _MOVE_S, prepared.moved)
            if not prepared.moved():
                raise Failed(f"no move within {_MOVE_S:g} s")
            watch.until(time.monotonic() + _STEADY_S)
            back = watch.until_steady(at / 1e9) if move.back_s is not None else None
            broken = traffic.end_bulk()
            trace = traffic.end()
    finally:
        prepared.undo()
    return Trial(router, outage(trace, at, None), back, broken, took / 1e6)


class Health:
    """Watches the endpoint's tunnels."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self._ill_at = float("-inf")
        self._well_since: float | None = None

    def during(self, action: Callable[[], None]) -> None:
        """Until an action of some length is over; raises what it does."""
        with ThreadPoolExecutor(1) as pool:
            done = pool.submit(action)
            self.until(float("inf"), done.done)
            done.result()

    def until(self, when: float, done: Callable[[], bool] = lambda: False) -> None:
        """Until a time of the monotonic clock, or until `done` holds."""
        while time.monotonic() < when and not done():
            self._look()
            time.sleep(_POLL_S)

    def until_steady(self, begin: float) -> float:
        """Until both tunnels have been healthy for a while; how long after `begin` that began.

        0 where they were never seen otherwise after it. Raises Failed.
        """
        while True:
            self._look()
            now = time.monotonic()
            since = self._well_since
            # Also a fault is given the time to be noticed.
            if since is not None and now - max(since, begin) > _STEADY_S:
                return max(0.0, since - begin) if self._ill_at >= begin else 0.0
            if now > begin + _BACK_S:
                raise Failed(f"no two healthy tunnels within {_BACK_S:g} s")
            time.sleep(_POLL_S)

    def _look(self) -> None:
        now = time.monotonic()
        if self._rig.healthy():
            self._well_since = now if self._well_since is None else self._well_since
        else:
            self._ill_at, self._well_since = now, None
