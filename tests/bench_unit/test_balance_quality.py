from __future__ import annotations

import argparse
import json
from dataclasses import replace

import pytest
from nrs.simulation.names import SCENARIOS

from bench import balance_quality
from bench.balance_quality import Key, Quality, parse, rows, summary, targets

GOOD = Quality(0.3, 1.05, 0.0, None, 2, 5.0)
SETTLED = replace(GOOD, settle_s=100.0)


def found(**of: Quality) -> dict[Key, Quality]:
    """The load balancer's figures, and poor ones of the plain rule."""
    poor = Quality(120.0, 2.0, 50.0, None, 60, 5.0)
    return {
        (s, r): q if r == "balancer" else poor for s, q in of.items() for r in ("balancer", "plain")
    }


def missed(**of: Quality) -> list[str]:
    return [target.text for target in targets(found(**of)) if not target.met]


def test_the_plain_rule_is_shown_and_not_held_against_the_targets() -> None:
    table = rows(found(steady_async=GOOD))
    assert [row[:2] for row in table[1:]] == [
        ["steady_async", "balancer"],
        ["steady_async", "plain"],
    ]
    assert missed(steady_async=GOOD) == []


@pytest.mark.parametrize("scenario", ["steady_async", "steady_sync", "heterogeneous"])
def test_a_steady_state_is_calm_and_even(scenario: str) -> None:
    assert missed(**{scenario: replace(GOOD, switches_per_endpoint_hour=1.01)}) == [
        f"{scenario}: switches of an endpoint in an hour"
    ]
    assert missed(**{scenario: replace(GOOD, max_over_mean=1.081)}) == [
        f"{scenario}: max over mean load"
    ]


@pytest.mark.parametrize("scenario", ["death", "return"])
def test_what_happens_is_over_soon(scenario: str) -> None:
    assert missed(**{scenario: SETTLED}) == []
    assert missed(**{scenario: replace(SETTLED, settle_s=181.0)}) == [f"{scenario}: settled, s"]
    assert missed(**{scenario: GOOD}) == [f"{scenario}: settled, s"], "it never settled"
    assert missed(**{scenario: replace(SETTLED, most_moves=3)}) == [
        f"{scenario}: moves of an endpoint"
    ]
    assert missed(**{scenario: replace(SETTLED, overloaded_percent=0.1)}) == [
        f"{scenario}: overloaded, % of the time"
    ]


def test_scale_is_about_time() -> None:
    assert missed(scale=replace(GOOD, max_over_mean=1.2)) == []
    assert missed(scale=replace(GOOD, took_s=121.0)) == ["scale: time of the run, s"]


def test_the_last_line_has_four_figures_of_each_scenario() -> None:
    assert json.loads(json.dumps(summary(found(steady_async=GOOD, death=SETTLED)))) == {
        "steady_async": {
            "switches_per_endpoint_hour": 0.3,
            "max_over_mean": 1.05,
            "overloaded_percent": 0.0,
            "settle_s": None,
        },
        "death": {
            "switches_per_endpoint_hour": 0.3,
            "max_over_mean": 1.05,
            "overloaded_percent": 0.0,
            "settle_s": 100.0,
        },
    }


def test_what_the_simulator_says_is_understood() -> None:
    said = {
        "switches_per_endpoint_hour": 0.3,
        "max_over_mean": 1.05,
        "worst_max_over_mean": 1.2,
        "overloaded_percent": 0.0,
        "settle_s": 100.0,
        "most_moves": 2,
        "wall_s": 1.0,
    }
    assert parse(json.dumps({"plain": said}), "plain", 5.0) == SETTLED


def test_scenarios_are_known_by_name() -> None:
    parser = argparse.ArgumentParser()
    balance_quality.add_arguments(parser)
    assert parser.parse_args([]).scenarios == list(SCENARIOS)
    assert parser.parse_args(["--scenarios", "death,scale"]).scenarios == ["death", "scale"]
    with pytest.raises(SystemExit):
        parser.parse_args(["--scenarios", "sunshine"])
