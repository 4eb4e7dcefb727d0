"""A simulation from start to end: a virtual clock, and what is due at which moment."""

from __future__ import annotations

import heapq
import math
import random
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nrs.balancer.keep.recording import Asked, Recorded
from nrs.simulation.advisers import Adviser
from nrs.simulation.endpoints import SimulatedEndpoint, endpoints
from nrs.simulation.measures import SETTLE_WITHIN_S, Figures, Sample, figures
from nrs.simulation.routers import SimulatedRouter
from nrs.simulation.scenario import Burst, Event, Happening, Scenario

WALL = 1_800_000_000.0
"""What the wall clock shows at the start."""

_SAMPLE_S = 1.0
_TIDE_S = 10.0
_WANDER_S = 60.0
_MOST_KEPT = 12

Action = Callable[[Any, float], None]


@dataclass(frozen=True)
class Result:
    """What came of it."""

    scenario: Scenario
    figures: Figures
    samples: list[Sample]


class Simulation:
    """One scenario with one adviser; `record` is given every report and every decision."""

    def __init__(
        self,
        scenario: Scenario,
        adviser: Adviser,
        seed: int,
        record: Callable[[Recorded], None] | None = None,
        *,
        stopwatch: Callable[[], float] = time.perf_counter,
    ) -> None:
        """`stopwatch` tells how long the run takes, in seconds."""
        self._scenario = scenario
        self._adviser = adviser
        self._record = record
        self._stopwatch = stopwatch
        # Apart, so that the same endpoints and routers meet each adviser.
        setup = random.Random(f"setup {seed}")  # noqa: S311 - a simulation  # nosec B311
        self._random = random.Random(f"course {seed}")  # noqa: S311  # nosec B311
        self._routers = [
            SimulatedRouter(
                index + 1,
                capacity,
                scenario.flow_seconds,
                random.Random(f"{index} {seed}"),  # noqa: S311  # nosec B311
            )
            for index, capacity in enumerate(scenario.capacities)
        ]
        self._indices = {router.router_id: i for i, router in enumerate(self._routers)}
        self._endpoints = endpoints(scenario, setup)
        self._due: list[tuple[float, int, Action, Any]] = []
        self._number = 0
        self._tide = 1.0
        self._samples: list[Sample] = []
        self._moves: list[float] = []
        self._moves_from = max([event.at for event in scenario.events], default=scenario.warm_up)
        self._begin(setup)

    def run(self) -> Result:
        """Let the time pass."""
        began = self._stopwatch()
        due, end = self._due, self._scenario.duration
        pop = heapq.heappop
        while due[0][0] <= end:
            now, _, action, what = pop(due)
            action(what, now)
        found = figures(
            self._samples,
            self._moves,
            len(self._endpoints),
            event_at=self._moves_from if self._scenario.events else None,
            most_moves=max(endpoint.moves for endpoint in self._endpoints),
            wall_s=self._stopwatch() - began,
        )
        return Result(self._scenario, found, self._samples)

    # -- the start

    def _begin(self, setup: random.Random) -> None:
        scenario = self._scenario
        for endpoint in self._endpoints:
            self._routers[endpoint.at].attach(endpoint.demand, 0.0, planned=False)
            for index in endpoint.candidates:
                self._routers[index].tunnels += 1
            phase = 0.0 if scenario.sync else setup.uniform(0.0, scenario.poll_interval)
            self._at(phase, self._poll, endpoint)
        for router in self._routers:
            phase = 0.0 if scenario.sync else setup.uniform(0.0, scenario.report_interval)
            self._at(phase, self._report, router)
        for event in scenario.events:
            self._at(event.at, self._happen, event)
        for burst in scenario.bursts:
            self._at(burst.at, self._burst, burst)
        if scenario.diurnal:
            self._at(0.0, self._turn_tide, None)
        self._at(scenario.warm_up, self._sample, None)

    def _at(self, when: float, action: Action, what: Any) -> None:
        self._number += 1
        heapq.heappush(self._due, (when, self._number, action, what))

    # -- what comes again and again

    def _poll(self, endpoint: SimulatedEndpoint, now: float) -> None:
        stated = endpoint.demand * self._tide if self._scenario.stating else None
        self._wander(endpoint, now)
        at = self._routers[endpoint.at]
        advice = self._adviser.advise(
            endpoint.endpoint_id, endpoint.names, at.router_id, stated, now
        )
        self._number += 1
        heapq.heappush(self._due, (now + advice.poll_after, self._number, self._poll, endpoint))
        if advice.router_id is None:
            return
        if self._record is not None:
            self._record(
                Asked(
                    endpoint_id=endpoint.endpoint_id,
                    timestamp=WALL + now,
                    router_id=advice.router_id,
                    candidates=list(endpoint.names),
                    current=at.router_id,
                    mbps=stated,
                )
            )
        if advice.router_id == at.router_id:
            return
        index = self._indices[advice.router_id]
        target = self._routers[index]
        if target.alive and not target.draining and endpoint.trusts(index, now):
            self._move(endpoint, index, now, planned=True)

    def _report(self, router: SimulatedRouter, now: float) -> None:
        self._at(now + self._scenario.report_interval, self._report, router)
        if router.alive:
            self._send(router, now)

    def _send(self, router: SimulatedRouter, now: float) -> None:
        report = router.report(now, WALL + now)
        if self._record is not None:
            self._record(report)
        self._adviser.report(report, now, WALL + now)

    def _sample(self, _: None, now: float) -> None:
        self._at(now + _SAMPLE_S, self._sample, None)
        loads = []
        load = capacity = 0.0
        for router in self._routers:
            if router.alive:
                own = router.load(now)
                load += own
                capacity += router.capacity
                loads.append(own / router.capacity)
        few = len(self._routers) <= _MOST_KEPT
        each = tuple(r.load(now) / r.capacity if r.alive else 0.0 for r in self._routers if few)
        if loads:
            self._samples.append(Sample(now, min(loads), load / capacity, max(loads), each))

    # -- what endpoints do

    def _move(self, endpoint: SimulatedEndpoint, index: int, now: float, *, planned: bool) -> None:
        self._routers[endpoint.at].attach(-endpoint.demand, now, planned=planned)
        self._routers[index].attach(endpoint.demand, now, planned=planned)
        endpoint.at = index
        if now >= self._scenario.warm_up:
            self._moves.append(now)
        if (
            self._moves_from <= now < self._moves_from + SETTLE_WITHIN_S
            or not self._scenario.events
        ):
            endpoint.moves += 1

    def _flee(self, index: int, now: float, *, planned: bool) -> None:
        """Those at a router leave for the quickest of the rest, without being told."""
        for endpoint in self._endpoints:
            if endpoint.at != index:
                continue
            for other in endpoint.candidates:
                router = self._routers[other]
                if router.alive and not router.draining:
                    self._move(endpoint, other, now, planned=planned)
                    break

    def _wander(self, endpoint: SimulatedEndpoint, now: float) -> None:
        sigma = self._scenario.wander
        passed, endpoint.asked_at = now - endpoint.asked_at, now
        if sigma and self._random.random() * _WANDER_S < passed:
            endpoint.wander = self._random.lognormvariate(-sigma * sigma / 2, sigma)
            self._carry(endpoint, now)

    def _carry(self, endpoint: SimulatedEndpoint, now: float) -> None:
        demand = endpoint.mean * endpoint.wander * endpoint.burst
        self._routers[endpoint.at].change(demand - endpoint.demand, now)
        endpoint.demand = demand

    # -- what happens once

    def _happen(self, event: Event, now: float) -> None:
        index = event.router - 1
        router = self._routers[index]
        happening = event.happening
        if happening is Happening.DEATH:
            router.alive = False
            router.forget_flows(now)
            for endpoint in self._endpoints:
                if index in endpoint.candidates:
                    endpoint.failed(index, now)
            self._flee(index, now, planned=False)
        elif happening is Happening.RETURN:
            router.alive = True
            router.forget_flows(now)
            for endpoint in self._endpoints:
                endpoint.recovered(index, now)
            self._send(router, now)
        elif happening is Happening.DOUBLE:
            router.capacity *= 2
            self._send(router, now)
        else:
            router.draining = happening is Happening.DRAIN
            self._send(router, now)
            if router.draining:
                self._flee(index, now, planned=True)

    def _burst(self, burst: Burst, now: float) -> None:
        count = round(burst.share * len(self._endpoints))
        chosen = self._random.sample(self._endpoints, count)
        for endpoint in chosen:
            endpoint.burst *= burst.factor
            self._carry(endpoint, now)
        self._at(now + burst.seconds, self._end_burst, (chosen, burst.factor))

    def _end_burst(self, what: tuple[list[SimulatedEndpoint], float], now: float) -> None:
        chosen, factor = what
        for endpoint in chosen:
            endpoint.burst /= factor
            self._carry(endpoint, now)

    def _turn_tide(self, _: None, now: float) -> None:
        self._at(now + _TIDE_S, self._turn_tide, None)
        phase = 2 * math.pi * now / self._scenario.day
        self._tide = 1 + self._scenario.diurnal * math.sin(phase)
        for router in self._routers:
            router.turn_tide(self._tide, now)
