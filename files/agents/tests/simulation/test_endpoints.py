from __future__ import annotations

import random
from collections import Counter

import pytest

from nrs.simulation.endpoints import SimulatedEndpoint, endpoints
from nrs.simulation.scenario import Scenario


def test_together_they_fill_the_mean_load() -> None:
    scenario = Scenario(endpoints=500, capacities=(100.0, 300.0), mean_load=0.4)
    found = endpoints(scenario, random.Random(1))  # noqa: S311
    assert sum(endpoint.demand for endpoint in found) == pytest.approx(160.0)
    assert len({endpoint.endpoint_id for endpoint in found}) == 500


def test_each_is_at_the_quickest_of_its_candidates() -> None:
    scenario = Scenario(endpoints=900, capacities=(100.0,) * 9, candidates=2)
    found = endpoints(scenario, random.Random(1))  # noqa: S311
    assert all(len(set(e.candidates)) == 2 and e.at == e.candidates[0] for e in found)
    assert found[0].names == tuple(f"router_{index + 1}" for index in found[0].candidates)
    assert min(Counter(endpoint.at for endpoint in found).values()) > 60


def test_a_tunnel_that_has_failed_is_held_down_once_it_is_back() -> None:
    endpoint = SimulatedEndpoint("e", (0, 1), ("router_1", "router_2"), 1.0)
    assert endpoint.trusts(0, 0.0)
    endpoint.failed(0, 100.0)
    assert not endpoint.trusts(0, 1e6)
    endpoint.recovered(0, 200.0)
    assert not endpoint.trusts(0, 202.0)
    assert endpoint.trusts(0, 215.0)
    endpoint.recovered(1, 0.0)
    assert endpoint.trusts(1, 0.0)
