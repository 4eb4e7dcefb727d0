from __future__ import annotations

from dataclasses import dataclass, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.balancer.decide.algorithm import Algorithm, Weights
from nrs.balancer.decide.scoring import headrooms, score

FIGURES = ("cpu_percent", "memory_percent", "bandwidth_mbps", "active_tunnels")


@dataclass(frozen=True)
class Load:
    cpu_percent: float = 0.0
    memory_percent: float = 0.0
    bandwidth_mbps: float = 0.0
    active_tunnels: int = 0


loads = st.builds(
    Load,
    cpu_percent=st.floats(0, 100),
    memory_percent=st.floats(0, 100),
    bandwidth_mbps=st.floats(0, 1e9),
    active_tunnels=st.integers(0, 2**63 - 1),
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


def scored(load: Load, algorithm: Algorithm) -> float:
    return score(headrooms(load, algorithm), algorithm.weights)


def test_the_documented_example() -> None:
    load = Load(cpu_percent=40, memory_percent=50, bandwidth_mbps=250, active_tunnels=10)
    expected = 0.30 * 0.6 + 0.20 * 0.5 + 0.30 * 0.75 + 0.20 * 0.9
    assert scored(load, Algorithm()) == pytest.approx(expected)


def test_idle_is_one_and_full_is_zero() -> None:
    assert scored(Load(), Algorithm()) == 1.0
    assert scored(Load(100, 100, 1000, 100), Algorithm()) == 0.0


def test_beyond_capacity_is_no_less_than_nothing() -> None:
    room = headrooms(Load(bandwidth_mbps=5000, active_tunnels=900), Algorithm())
    assert (room.bandwidth, room.connections) == (0.0, 0.0)
    assert scored(Load(bandwidth_mbps=5000, active_tunnels=900), Algorithm()) == pytest.approx(0.5)


def test_only_the_proportion_of_weights_counts() -> None:
    load = Load(cpu_percent=80, memory_percent=20)
    thirds = Weights(cpu=3, memory=2, bandwidth=3, connections=2)
    assert scored(load, Algorithm(weights=thirds)) == pytest.approx(scored(load, Algorithm()))


def test_a_weight_of_zero_takes_a_figure_out() -> None:
    only_cpu = Algorithm(weights=Weights(cpu=1, memory=0, bandwidth=0, connections=0))
    assert scored(Load(25, 100, 1000, 100), only_cpu) == 0.75


@given(loads, algorithms)
def test_between_zero_and_one(load: Load, algorithm: Algorithm) -> None:
    assert 0.0 <= scored(load, algorithm) <= 1.0
    assert all(0.0 <= room <= 1.0 for room in headrooms(load, algorithm))


@given(loads, loads, algorithms, st.sampled_from(FIGURES))
def test_more_load_never_scores_better(
    load: Load, other: Load, algorithm: Algorithm, figure: str
) -> None:
    less, more = sorted((getattr(load, figure), getattr(other, figure)))
    lighter, heavier = replace(load, **{figure: less}), replace(load, **{figure: more})
    assert scored(lighter, algorithm) >= scored(heavier, algorithm)
