from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.api.messages import MetricsReport
from nrs.balancer.decide.algorithm import Algorithm, RouterCapacity, Weights
from nrs.balancer.decide.scoring import Headrooms, capacity, headrooms, score
from tests.balancer.reports import report

FIGURES = ("cpu_percent", "memory_percent", "bandwidth_mbps", "active_tunnels")


def load(
    cpu: float = 0.0, memory: float = 0.0, mbps: float = 0.0, tunnels: int = 0
) -> MetricsReport:
    return report(
        "router_1",
        cpu_percent=cpu,
        memory_percent=memory,
        bandwidth_mbps=mbps,
        active_tunnels=tunnels,
    )


loads = st.builds(
    load,
    cpu=st.floats(0, 100),
    memory=st.floats(0, 100),
    mbps=st.floats(0, 1e9),
    tunnels=st.integers(0, 2**63 - 1),
)
weight = st.floats(0, 1000)
algorithms = st.builds(
    Algorithm,
    weights=st.tuples(weight, weight, weight, weight)
    .filter(lambda four: sum(four) > 0)
    .map(lambda w: Weights(cpu=w[0], memory=w[1], bandwidth=w[2], connections=w[3])),
    max_bandwidth_mbps=st.floats(0.001, 1e7),
    max_connections=st.integers(1, 10_000_000),
)


def room(of: MetricsReport, algorithm: Algorithm) -> Headrooms:
    return headrooms(of, capacity(of, algorithm))


def scored(of: MetricsReport, algorithm: Algorithm) -> float:
    return score(room(of, algorithm), algorithm.weights)


def test_the_documented_example() -> None:
    busy = load(40.0, 50.0, 250.0, 10)
    expected = 0.30 * 0.6 + 0.20 * 0.5 + 0.30 * 0.75 + 0.20 * 0.9
    assert scored(busy, Algorithm()) == pytest.approx(expected)


def test_idle_is_one_and_full_is_zero() -> None:
    assert scored(load(), Algorithm()) == 1.0
    assert scored(load(100.0, 100.0, 1000.0, 100), Algorithm()) == 0.0


def test_beyond_capacity_is_no_less_than_nothing() -> None:
    over = load(mbps=5000.0, tunnels=900)
    left = room(over, Algorithm())
    assert (left.bandwidth, left.connections) == (0.0, 0.0)
    assert scored(over, Algorithm()) == pytest.approx(0.5)


def test_only_the_proportion_of_weights_counts() -> None:
    busy = load(80.0, 20.0)
    thirds = Weights(cpu=3, memory=2, bandwidth=3, connections=2)
    assert scored(busy, Algorithm(weights=thirds)) == pytest.approx(scored(busy, Algorithm()))


def test_a_weight_of_zero_takes_a_figure_out() -> None:
    only_cpu = Algorithm(weights=Weights(cpu=1, memory=0, bandwidth=0, connections=0))
    assert scored(load(25.0, 100.0, 1000.0, 100), only_cpu) == 0.75


@given(loads, algorithms)
def test_between_zero_and_one(some: MetricsReport, algorithm: Algorithm) -> None:
    assert 0.0 <= scored(some, algorithm) <= 1.0
    assert all(0.0 <= left <= 1.0 for left in room(some, algorithm))


@given(loads, loads, algorithms, st.sampled_from(FIGURES))
def test_more_load_never_scores_better(
    one: MetricsReport, other: MetricsReport, algorithm: Algorithm, figure: str
) -> None:
    less, more = sorted((getattr(one, figure), getattr(other, figure)))
    lighter, heavier = (one.model_copy(update={figure: value}) for value in (less, more))
    assert scored(lighter, algorithm) >= scored(heavier, algorithm)


SITE = Algorithm(
    max_bandwidth_mbps=1000.0,
    max_connections=100,
    routers={
        "router_1": RouterCapacity(max_bandwidth_mbps=2000.0),
        "router_2": RouterCapacity(max_bandwidth_mbps=500.0, max_connections=50),
    },
)


def test_what_the_router_says_counts_before_what_is_configured() -> None:
    assert capacity(report("router_2", max_bandwidth_mbps=300.0), SITE) == (300.0, 50)
    assert capacity(report("router_2", max_connections=7), SITE) == (500.0, 7)


def test_what_is_configured_for_it_counts_before_what_holds_for_all() -> None:
    assert capacity(report("router_1"), SITE) == (2000.0, 100)
    assert capacity(report("router_3"), SITE) == (1000.0, 100)
