from __future__ import annotations

from dataclasses import replace

import pytest

from nrs.simulation.measures import Sample, figures, mean, settled


def sample(at: float, most: float, average: float = 0.5) -> Sample:
    return Sample(at, 0.0, average, most, ())


def samples(*most: float) -> list[Sample]:
    """One every 10 s from 100 s on."""
    return [sample(100.0 + 10 * i, value) for i, value in enumerate(most)]


def test_settled_is_when_it_begins_to_stay_even_for_a_minute() -> None:
    even, uneven = 0.55, 0.7
    assert settled(samples(*[even] * 8), 100.0) == 0.0
    assert settled(samples(uneven, uneven, *[even] * 8), 100.0) == 20.0
    assert settled(samples(uneven, even, even, uneven, *[even] * 8), 100.0) == 40.0
    assert settled(samples(uneven, *[even] * 6), 100.0) is None
    assert settled(samples(uneven, *[even] * 8), 110.0) == 0.0


def test_figures_of_a_run() -> None:
    found = figures(
        samples(*[0.5] * 180, *[1.1] * 180, 0.5),
        [120.0] * 10,
        endpoints=20,
        event_at=None,
        most_moves=2,
        wall_s=1.0,
    )
    assert found.switches_per_endpoint_hour == pytest.approx(0.5)
    assert found.max_over_mean == pytest.approx((181 * 1.0 + 180 * 2.2) / 361)
    assert found.worst_max_over_mean == pytest.approx(2.2)
    assert found.overloaded_percent == pytest.approx(100 * 180 / 361)
    assert found.settle_s is None


def test_no_load_is_even() -> None:
    assert sample(0.0, 0.0, 0.0).max_over_mean == 1.0


def test_of_several_runs_the_worst_settling_and_most_moves_count() -> None:
    one = figures(samples(0.5), [], 1, event_at=None, most_moves=1, wall_s=2.0)
    first = replace(one, settle_s=10.0, max_over_mean=1.0)
    second = replace(one, settle_s=30.0, most_moves=3, max_over_mean=1.1)
    both = mean([first, second])
    assert (both.settle_s, both.most_moves, both.wall_s) == (30.0, 3, 4.0)
    assert both.max_over_mean == pytest.approx(1.05)
    assert mean([first, replace(second, settle_s=None)]).settle_s is None
