"""The options of `nrs simulate`, and the scenario and algorithm that they ask for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from pydantic import ValidationError

from nrs.balancer.config import LoadBalancerConfig
from nrs.balancer.decide.algorithm import Algorithm, Weights
from nrs.config.loader import ConfigError, load
from nrs.simulation.scenario import Burst, Event, Happening, Scenario, ScenarioError
from nrs.simulation.scenarios import SCENARIOS

Parsed = TypeVar("Parsed")


class OptionError(Exception):
    """An option that cannot be used; the text names it."""


def scenario(options: Mapping[str, Any]) -> Scenario:
    """What is to be simulated. Raises OptionError."""
    base = SCENARIOS[options["scenario"]]
    changes: dict[str, Any] = {
        name: options[name]
        for name in (
            "endpoints",
            "mean_load",
            "spread",
            "wander",
            "diurnal",
            "day",
            "candidates",
            "flow_seconds",
            "stating",
            "report_interval",
            "poll_interval",
            "sync",
            "duration",
            "warm_up",
        )
        if options[name] is not None
    }
    capacities = _capacities(options, base)
    if capacities != base.capacities:
        changes["capacities"] = capacities
    if options["event"]:
        changes["events"] = tuple(_parsed("--event", _event, text) for text in options["event"])
    if options["burst"]:
        changes["bursts"] = tuple(_parsed("--burst", _burst, text) for text in options["burst"])
    config = options["config"]
    present = base.algorithm if config is None else _configured(config)
    changes["algorithm"] = changed(present, options)
    try:
        return replace(base, **changes)
    except ScenarioError as error:
        raise OptionError(str(error)) from None


def algorithms(options: Mapping[str, Any]) -> tuple[Algorithm, Algorithm]:
    """The algorithm as it is, and as the options change it. Raises OptionError."""
    config = options["config"]
    present = Algorithm() if config is None else _configured(config)
    return present, changed(present, options)


def changed(algorithm: Algorithm, options: Mapping[str, Any]) -> Algorithm:
    """`algorithm` with what the options say of it. Raises OptionError."""
    fields = algorithm.model_dump()
    for option, field in (
        ("threshold", "anti_flap_threshold"),
        ("hold", "anti_flap_hold_time"),
        ("slow_start", "slow_start_time"),
        ("max_connections", "max_connections"),
        ("max_bandwidth", "max_bandwidth_mbps"),
    ):
        if options[option] is not None:
            fields[field] = options[option]
    if options["weights"] is not None:
        fields["weights"] |= _parsed("--weights", _weights, options["weights"])
    try:
        return Algorithm.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise OptionError(f"{where}: {first['msg'].removeprefix('Value error, ')}") from None


def _capacities(options: Mapping[str, Any], base: Scenario) -> tuple[float, ...]:
    if options["capacities"] is not None:
        return tuple(_parsed("--capacities", _numbers, options["capacities"]))
    if options["routers"] is not None:
        return (base.capacities[0],) * int(options["routers"])
    return base.capacities


def _configured(path: Path) -> Algorithm:
    try:
        return load(path, LoadBalancerConfig).algorithm
    except ConfigError as error:
        raise OptionError(str(error)) from None


def _parsed(option: str, parse: Callable[[str], Parsed], text: str) -> Parsed:
    try:
        return parse(text)
    except (ValueError, KeyError, TypeError):
        raise OptionError(f"{option}: {text!r} is not as `nrs simulate --help` says") from None


def _numbers(text: str) -> list[float]:
    return [float(word) for word in text.split(",")]


def _event(text: str) -> Event:
    happening, _, rest = text.partition(":")
    router, _, at = rest.partition("@")
    return Event(Happening(happening), int(router), float(at))


def _burst(text: str) -> Burst:
    at, seconds, share, factor = map(float, text.split(":"))
    return Burst(at, seconds, share, factor)


def _weights(text: str) -> dict[str, float]:
    pairs = (word.partition("=") for word in text.split(","))
    weights = {name: float(value) for name, _, value in pairs}
    if unknown := weights.keys() - Weights.model_fields.keys():
        raise KeyError(unknown)
    return weights
