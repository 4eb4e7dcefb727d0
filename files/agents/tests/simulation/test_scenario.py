from __future__ import annotations

from typing import Any

import pytest

from nrs.simulation import names
from nrs.simulation.scenario import Burst, Event, Happening, Scenario, ScenarioError
from nrs.simulation.scenarios import SCENARIOS


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("endpoints", 0, "endpoints: must be 1 to 200000"),
        ("capacities", (), "routers: must be 1 to 2000"),
        ("capacities", (1.0, 0.0), "capacities: must be above 0"),
        ("mean_load", 0.0, "mean load"),
        ("spread", -1.0, "spread"),
        ("diurnal", 1.0, "diurnal"),
        ("candidates", 0, "candidates"),
        ("report_interval", 0.0, "report interval"),
        ("warm_up", 1800.0, "warm-up: must be less than the duration"),
        ("events", (Event(Happening.DEATH, 4, 1.0),), "event: must be of a router from 1 to 3"),
        ("bursts", (Burst(0.0, 1.0, 2.0, 1.0),), "burst"),
    ],
)
def test_what_cannot_be_is_named(field: str, value: Any, said: str) -> None:
    with pytest.raises(ScenarioError, match=said):
        Scenario(**{field: value})


@pytest.mark.parametrize(
    ("routers", "stated", "each"), [(2, None, 2), (4, None, 4), (9, None, 3), (9, 5, 5), (3, 5, 3)]
)
def test_endpoints_have_a_few_candidates(routers: int, stated: int | None, each: int) -> None:
    scenario = Scenario(capacities=(1.0,) * routers, candidates=stated)
    assert scenario.candidates_each == each


def test_every_name_stands_for_a_scenario() -> None:
    assert tuple(SCENARIOS) == names.SCENARIOS


def test_scale_is_what_it_says() -> None:
    assert SCENARIOS["scale"].endpoints == 100_000
    assert len(SCENARIOS["scale"].capacities) == 500
