"""`bin/bench balance-quality`: how evenly and how calmly the load balancer spreads the load.

Each scenario of `nrs simulate` is run with several seeds: the load balancer's own decisions with
a virtual clock among modelled endpoints and routers, and beside them the plain rule, the best
score with threshold and hold time. `nrs simulate --scenario NAME` draws one of them.

**switches**: of an endpoint in an hour, those that it makes by itself included. **max/mean**: the
load of the fullest router over the mean of all, relative to what each can carry, mean over time.
**overloaded**: part of the time in which some router is offered more than it can carry.
**settled**: from the router's death or return until max/mean stays at 1.15 or below for a minute,
the worst seed; a dash where that does not happen. **moves**: the most of one endpoint in the three
minutes after that, its own flight from a dead router included; where nothing happens, over the
whole time.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from nrs.simulation.names import (
    BALANCER,
    DEATH,
    HETEROGENEOUS,
    RETURN,
    RULES,
    SCALE,
    SCENARIOS,
    STEADY_ASYNC,
    STEADY_SYNC,
)

from bench import agents, document
from bench.arguments import add_names, positive
from bench.progress import progress
from bench.settings import Places
from bench.table import number, plain
from bench.targets import Target
from testbed.command import run

_STEADY = (STEADY_ASYNC, STEADY_SYNC, HETEROGENEOUS)
_EVENTFUL = (DEATH, RETURN)
_LIMIT_S = 1200.0


@dataclass(frozen=True)
class Quality:
    """A scenario with one rule: means over the seeds, `settle_s` and `most_moves` the worst."""

    switches_per_endpoint_hour: float
    max_over_mean: float
    overloaded_percent: float
    settle_s: float | None
    most_moves: int
    took_s: float


Key = tuple[str, str]
"""A scenario and a rule."""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of this part."""
    parser.add_argument(
        "--seeds",
        type=positive,
        default=8,
        help=f"of each scenario but {SCALE}, which has one; default: 8",
    )
    add_names(parser, "--scenarios", "scenario", SCENARIOS)


def measure(options: argparse.Namespace, places: Places) -> int:
    """Run, print, and say which targets are met; 0 where all could be run."""
    python = agents.python(places)
    found = _run_all(python, options.scenarios, options.seeds)
    for line in plain(rows(found)):
        print(line)
    print()
    for target in targets(found):
        print(target)
    document.show(options.origin, rows(found))
    print(json.dumps(summary(found)))
    return 0


def rows(found: Mapping[Key, Quality]) -> list[list[str]]:
    """The table."""
    head = [
        "scenario",
        "rule",
        "switches",
        "max/mean",
        "overloaded %",
        "settled s",
        "moves",
        "took s",
    ]
    return [head] + [
        [
            scenario,
            rule,
            number(of.switches_per_endpoint_hour, 2),
            number(of.max_over_mean, 3),
            number(of.overloaded_percent, 2),
            number(of.settle_s, 0),
            str(of.most_moves),
            number(of.took_s, 1),
        ]
        for (scenario, rule), of in found.items()
    ]


def targets(found: Mapping[Key, Quality]) -> list[Target]:
    """What is promised of the load balancer, for the scenarios that were run."""
    stated: list[Target] = []
    for (scenario, rule), of in found.items():
        if rule != BALANCER:
            continue
        if scenario in _STEADY:
            stated += [
                Target(
                    f"{scenario}: switches of an endpoint in an hour",
                    of.switches_per_endpoint_hour,
                    1.0,
                    at_most=True,
                ),
                Target(f"{scenario}: max over mean load", of.max_over_mean, 1.08, at_most=True),
            ]
        elif scenario in _EVENTFUL:
            stated += [
                # One that never settled has missed it, by however much.
                Target(f"{scenario}: settled, s", _or_never(of.settle_s), 180, at_most=True),
                Target(f"{scenario}: moves of an endpoint", of.most_moves, 2, at_most=True),
                Target(
                    f"{scenario}: overloaded, % of the time",
                    of.overloaded_percent,
                    0.0,
                    at_most=True,
                ),
            ]
        elif scenario == SCALE:
            stated.append(Target(f"{scenario}: time of the run, s", of.took_s, 120, at_most=True))
    return stated


def summary(found: Mapping[Key, Quality]) -> dict[str, dict[str, float | None]]:
    """The load balancer's figures by scenario, as the last line has them."""
    return {
        scenario: {
            "switches_per_endpoint_hour": round(of.switches_per_endpoint_hour, 4),
            "max_over_mean": round(of.max_over_mean, 4),
            "overloaded_percent": round(of.overloaded_percent, 4),
            "settle_s": of.settle_s,
        }
        for (scenario, rule), of in found.items()
        if rule == BALANCER
    }


def parse(output: str, rule: str, took_s: float) -> Quality:
    """What `nrs simulate --json` says of a rule."""
    figures = json.loads(output)[rule]
    return Quality(
        figures["switches_per_endpoint_hour"],
        figures["max_over_mean"],
        figures["overloaded_percent"],
        figures["settle_s"],
        figures["most_moves"],
        took_s,
    )


def _run_all(python: Path, scenarios: Sequence[str], seeds: int) -> dict[Key, Quality]:
    keys = [(scenario, rule) for scenario in scenarios for rule in RULES]
    with ThreadPoolExecutor(os.cpu_count() or 1) as pool:
        # The longest first: the others fit beside it.
        order = sorted(keys, key=lambda key: key[0] != SCALE)
        waiting = {key: pool.submit(_simulate, python, key, seeds) for key in order}
        return {key: waiting[key].result() for key in keys}


def _simulate(python: Path, key: Key, seeds: int) -> Quality:
    scenario, rule = key
    words = ["--scenario", scenario, "--rule", rule, "--json"]
    words += ["--seeds", str(1 if scenario == SCALE else seeds)]
    began = time.monotonic()
    # Not in the checkout: what is installed is measured.
    output = run(
        [python, "-m", "nrs", "simulate", *words],
        cwd=Path("/"),
        limit=_LIMIT_S,
        env=agents.inherited(),
    )
    took_s = time.monotonic() - began
    progress(f"{scenario}, {rule}: {took_s:.1f} s")
    return parse(output, rule, took_s)


def _or_never(seconds: float | None) -> float:
    return float("inf") if seconds is None else seconds
