"""The loads over time as a picture: one panel for each run, on the same scales.

This file alone needs matplotlib, which is an extra (`pictures`): hosts have none of it.
"""

from __future__ import annotations

import io
import math
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from nrs.simulation.chart import series
from nrs.simulation.measures import Sample

Runs = Sequence[tuple[str, Sequence[Sample]]]
"""The samples of each run, by its title."""

_WIDTH = 12.0
_PANEL = 3.0
_DPI = 100
"""So a picture is 1200 pixels wide, and 300 high for each run."""
_COLOURS = 10


def draw(runs: Runs) -> bytes:
    """A PNG file with the loads of each run; the red line is full load."""
    file = io.BytesIO()
    figure(runs).savefig(file, format="png", backend="agg", dpi=_DPI)
    return file.getvalue()


def figure(runs: Runs) -> Figure:
    """What is drawn: its axes are the panels, from top to bottom."""
    most = max(sample.most for _, samples in runs for sample in samples)
    top = max(1.0, math.ceil(most * 4) / 4)
    drawn = Figure((_WIDTH, _PANEL * len(runs)), dpi=_DPI, layout="constrained")
    panels = drawn.subplots(len(runs), squeeze=False)
    for axes, (title, samples) in zip(panels[:, 0], runs, strict=True):
        _panel(axes, title, samples, top)
    return drawn


def _panel(axes: Axes, title: str, samples: Sequence[Sample], top: float) -> None:
    times = [sample.at for sample in samples]
    axes.set_title(title, loc="left")
    axes.set_xlim(times[0], max(times[-1], times[0] + 1))
    axes.set_ylim(0.0, 1.02 * top)
    axes.set_xlabel("seconds")
    axes.set_ylabel("load")
    axes.grid(color="0.9")
    axes.axhline(1.0, color="red", linewidth=1.0)
    for number, (name, loads) in enumerate(series(samples)):
        style = "-" if number < _COLOURS else "--"
        axes.plot(times, loads, f"C{number % _COLOURS}{style}", linewidth=1.0, label=name)
    axes.legend(loc="upper left", bbox_to_anchor=(1.0, 1.0), frameon=False)
