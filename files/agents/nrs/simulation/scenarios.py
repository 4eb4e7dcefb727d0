"""The scenarios that have names."""

from __future__ import annotations

from dataclasses import replace

from nrs.balancer.decide.algorithm import Algorithm
from nrs.simulation import names
from nrs.simulation.scenario import Burst, Event, Happening, Scenario

_EVENT_AT = 900.0
_STEADY = Scenario()

SCENARIOS = {
    names.STEADY_ASYNC: _STEADY,
    names.STEADY_SYNC: replace(_STEADY, sync=True),
    # Two thirds of the endpoints have to leave the routers that are quickest to them first.
    names.HETEROGENEOUS: replace(
        _STEADY, capacities=(500.0, 1000.0, 2000.0), duration=2400.0, warm_up=900.0
    ),
    names.DEATH: replace(_STEADY, events=(Event(Happening.DEATH, 1, _EVENT_AT),)),
    names.RETURN: replace(
        _STEADY,
        warm_up=600.0,
        events=(Event(Happening.DEATH, 1, 60.0), Event(Happening.RETURN, 1, _EVENT_AT)),
    ),
    names.BURST: replace(_STEADY, bursts=(Burst(_EVENT_AT, 120.0, 0.2, 3.0),)),
    names.SCALE: replace(
        _STEADY,
        endpoints=100_000,
        capacities=(1000.0,) * 500,
        duration=600.0,
        algorithm=Algorithm(max_connections=1000),
    ),
}
