"""`nrs simulate`: the load balancer's decisions on paper."""

from __future__ import annotations

import importlib.util
import json
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from typing import Any

import click
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from nrs.balancer.keep import recording
from nrs.balancer.keep.recording import Recorded
from nrs.cli import simulate_options
from nrs.simulation import chart, replay
from nrs.simulation.advisers import Adviser, Balanced, Plain
from nrs.simulation.measures import Figures, mean
from nrs.simulation.names import PLAIN, RULES
from nrs.simulation.run import Result, Simulation
from nrs.simulation.scenario import Scenario

_WIDTH_OF_A_PIPE = 120
_NO_PICTURES = "--png needs matplotlib, which is not installed: pip install matplotlib"
_CHART = 72

Runs = Mapping[str, Sequence[Result]]


def main(options: Mapping[str, Any]) -> int:
    """Simulate or replay as the options say; the exit status. Raises OptionError."""
    if options["replay"] is not None:
        return _replay(options)
    if options["png"] is not None and importlib.util.find_spec("matplotlib") is None:
        click.echo(_NO_PICTURES, err=True)
        return 2
    scenario = simulate_options.scenario(options)
    rules = [options["rule"]] if options["rule"] in RULES else RULES
    seeds = range(options["first_seed"], options["first_seed"] + options["seeds"])
    runs = {rule: [_simulate(scenario, rule, seed) for seed in seeds] for rule in rules}
    try:
        _write(options, scenario, runs)
    except OSError as error:
        click.echo(f"{error.filename}: {error.strerror}", err=True)
        return 1
    if options["as_json"]:
        click.echo(json.dumps({rule: _figures(of) for rule, of in runs.items()}))
    else:
        _print(runs)
    return 0


def _write(options: Mapping[str, Any], scenario: Scenario, runs: Runs) -> None:
    """The files that are asked for, of the first seed."""
    if options["png"] is not None:
        from nrs.simulation import picture  # noqa: PLC0415 - matplotlib is an extra

        drawn = picture.draw([(rule, results[0].samples) for rule, results in runs.items()])
        options["png"].write_bytes(drawn)
    if options["record"] is not None:
        with options["record"].open("w", encoding="utf-8") as file:
            rule = next(iter(runs))
            _simulate(scenario, rule, options["first_seed"], partial(recording.write, file))


def _replay(options: Mapping[str, Any]) -> int:
    present, other = simulate_options.algorithms(options)
    file = options["replay"]
    try:
        with file.open(encoding="utf-8") as lines:
            read = recording.read(lines, str(file))
    except (OSError, UnicodeDecodeError, recording.RecordingDamaged) as error:
        click.echo(str(error), err=True)
        return 2
    comparison = replay.compare(read, present, other, options["endpoints"])
    if options["as_json"]:
        click.echo(json.dumps(_compared(comparison)))
        return 0
    console = _console()
    console.print(_comparison_table(comparison))
    console.print(comparison.summary)
    return 0


def _simulate(
    scenario: Scenario, rule: str, seed: int, record: Callable[[Recorded], None] | None = None
) -> Result:
    return Simulation(scenario, _adviser(scenario, rule, seed), seed, record).run()


def _adviser(scenario: Scenario, rule: str, seed: int) -> Adviser:
    if rule == PLAIN:
        return Plain(scenario.algorithm, scenario.report_interval, scenario.poll_interval)
    return Balanced(scenario.algorithm, scenario.report_interval, seed)


def _figures(results: Sequence[Result]) -> dict[str, float | int | None]:
    return asdict(mean([result.figures for result in results]))


def _print(runs: Runs) -> None:
    console = _console()
    table = Table(box=box.SIMPLE, pad_edge=False)
    for title in (
        "rule",
        "switches/endpoint/h",
        "max/mean load",
        "worst",
        "overloaded",
        "settled after",
        "most moves",
        "took",
    ):
        table.add_column(title, justify="left" if title == "rule" else "right")
    for rule, results in runs.items():
        table.add_row(rule, *_cells(mean([result.figures for result in results])))
    console.print(table)
    for rule, results in runs.items():
        for line in _chart(rule, results[0]):
            console.print(line)


def _cells(figures: Figures) -> Iterator[str]:
    yield f"{figures.switches_per_endpoint_hour:.2f}"
    yield f"{figures.max_over_mean:.3f}"
    yield f"{figures.worst_max_over_mean:.3f}"
    yield f"{figures.overloaded_percent:.2f} %"
    yield "-" if figures.settle_s is None else f"{figures.settle_s:.0f} s"
    yield str(figures.most_moves)
    yield f"{figures.wall_s:.1f} s"


def _chart(rule: str, result: Result) -> Iterator[Text]:
    samples = result.samples
    yield Text(f"{rule}: loads from {samples[0].at:.0f} s to {samples[-1].at:.0f} s", style="bold")
    for name, bar, last in chart.lines(samples, _CHART):
        line = Text(f"  {name:14} ")
        for character in bar:
            line.append(character, style="red" if character == chart.OVERLOADED else "green")
        line.append(f" {last:.2f}")
        yield line


def _compared(comparison: replay.Comparison) -> dict[str, object]:
    def of(course: replay.Course) -> dict[str, object]:
        return {
            "switches": course.switches,
            "endpoints_moved": len(+course.moves),
            "most_moves": max(course.moves.values(), default=0),
            "share": _shares(course),
        }

    return {
        "recorded": comparison.recorded,
        "before": of(comparison.before),
        "after": of(comparison.after),
    }


def _shares(course: replay.Course) -> dict[str, float]:
    together = sum(course.seconds.values()) or 1.0
    return {router: seconds / together for router, seconds in sorted(course.seconds.items())}


def _comparison_table(comparison: replay.Comparison) -> Table:
    before, after = comparison.before, comparison.after
    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("")
    table.add_column("as recorded" if comparison.recorded else "as it is", justify="right")
    table.add_column("replayed", justify="right")
    table.add_row("switches", str(before.switches), str(after.switches))
    table.add_row("endpoints moved", str(len(+before.moves)), str(len(+after.moves)))
    most = [str(max(course.moves.values(), default=0)) for course in (before, after)]
    table.add_row("most moves of one", *most)
    shares = _shares(before), _shares(after)
    for router in sorted(shares[0].keys() | shares[1].keys()):
        cells = [f"{100 * share.get(router, 0.0):.1f} %" for share in shares]
        table.add_row(f"time at {router}", *cells)
    elsewhere = sum(after.at.get(name) != router for name, router in before.at.items())
    table.add_row("elsewhere at the end", "", str(elsewhere))
    return table


def _console() -> Console:
    return Console(width=None if sys.stdout.isatty() else _WIDTH_OF_A_PIPE, highlight=False)
