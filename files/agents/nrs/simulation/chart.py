"""The loads over time as lines of text. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from nrs.simulation.measures import Sample

_LEVELS = " ▁▂▃▄▅▆▇█"
OVERLOADED = "!"
"""Stands where a router is offered more than it can carry."""


class Line(NamedTuple):
    """A line of the chart: what it is, one character for each span of time, the last load."""

    name: str
    bar: str
    last: float


def lines(samples: Sequence[Sample], width: int) -> Iterator[Line]:
    """A line for each router, or where those are many one each for the least, mean and most.

    A character is the greatest load of its span, in eighths of what the router can carry.
    """
    for name, values in series(samples):
        yield Line(name, _bar(values, width), values[-1])


def series(samples: Sequence[Sample]) -> list[tuple[str, list[float]]]:
    """The loads to draw, by name."""
    if samples[0].each:
        routers = range(len(samples[0].each))
        return [(f"router_{i + 1}", [sample.each[i] for sample in samples]) for i in routers]
    return [
        ("least loaded", [sample.least for sample in samples]),
        ("mean", [sample.mean for sample in samples]),
        ("most loaded", [sample.most for sample in samples]),
    ]


def _bar(values: Sequence[float], width: int) -> str:
    count = min(width, len(values))
    spans = (
        values[i * len(values) // count : (i + 1) * len(values) // count] for i in range(count)
    )
    return "".join(_character(max(span)) for span in spans)


def _character(load: float) -> str:
    if load > 1.0:
        return OVERLOADED
    top = len(_LEVELS) - 1
    return _LEVELS[min(max(round(load * top), 1 if load > 0 else 0), top)]
