"""The loads over time as a picture: one panel for each run, on the same scales. Pure."""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence

from nrs.simulation.chart import series
from nrs.simulation.measures import Sample
from nrs.simulation.png import TEXT_HEIGHT, Canvas, text_width

_WIDTH = 1200
_PANEL = 300
_LEFT = 60
_RIGHT = 130
_TOP = 30
_BOTTOM = 30
_INK, _GRID, _LIMIT, _FIRST = 1, 2, 3, 4
_PALETTE = (
    (255, 255, 255),
    (40, 40, 40),
    (225, 225, 225),
    (200, 30, 30),
    (31, 119, 180),
    (255, 127, 14),
    (44, 160, 44),
    (148, 103, 189),
    (140, 86, 75),
    (227, 119, 194),
    (127, 127, 127),
    (188, 189, 34),
    (23, 190, 207),
    (0, 0, 128),
    (128, 128, 0),
    (0, 100, 80),
)


def draw(runs: Sequence[tuple[str, Sequence[Sample]]]) -> bytes:
    """A PNG file with the loads of each run, by its title; the red line is full load."""
    canvas = Canvas(_WIDTH, _PANEL * len(runs), _PALETTE)
    most = max(sample.most for _, samples in runs for sample in samples)
    top = max(1.0, math.ceil(most * 4) / 4)
    for number, (title, samples) in enumerate(runs):
        _panel(canvas, number * _PANEL, title, samples, top)
    return canvas.encode()


def _panel(canvas: Canvas, offset: int, title: str, samples: Sequence[Sample], top: float) -> None:
    begin, end = samples[0].at, max(samples[-1].at, samples[0].at + 1)
    right, bottom = _WIDTH - _RIGHT, offset + _PANEL - _BOTTOM

    def x(at: float) -> int:
        return _LEFT + round((at - begin) / (end - begin) * (right - _LEFT))

    def y(load: float) -> int:
        return bottom - round(load / top * (_PANEL - _TOP - _BOTTOM))

    canvas.text(_LEFT, offset + (_TOP - TEXT_HEIGHT) // 2, title, _INK)
    for quarter in range(round(top * 4) + 1):
        load = quarter / 4
        canvas.line((_LEFT, y(load)), (right, y(load)), _LIMIT if load == 1 else _GRID)
        label = f"{load:.2f}"
        canvas.text(_LEFT - text_width(label) - 4, y(load) - TEXT_HEIGHT // 2, label, _INK)
    for tenth in range(11):
        at = begin + (end - begin) * tenth / 10
        canvas.line((x(at), bottom), (x(at), bottom + 4), _INK)
        canvas.text(x(at) - 10, bottom + 8, f"{at:.0f}s", _INK)
    for number, (name, values) in enumerate(series(samples)):
        colour = _FIRST + number % (len(_PALETTE) - _FIRST)
        points = [(x(s.at), y(value)) for s, value in zip(samples, values, strict=True)]
        for start, stop in itertools.pairwise(points):
            canvas.line(start, stop, colour)
        canvas.text(right + 10, offset + _TOP + number * (TEXT_HEIGHT + 6), name, colour)
