"""Figures as a person reads them, and as a document has them: with where they come from."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from bench import machine, table
from bench.machine import Watch
from bench.settings import CHECKOUT
from bench.table import Rows
from bench.targets import Target
from testbed.command import run
from testbed.failed import Failed


@dataclass(frozen=True)
class Origin:
    """What was measured, with what, where and when."""

    command: str
    commit: str
    machine: str
    date: str

    def __str__(self) -> str:
        return f"`{self.command}`, {self.date}, commit {self.commit}, {self.machine}"


def origin(words: Sequence[str]) -> Origin:
    """Of what `bin/bench` measures now with these words."""
    return Origin(
        shlex.join(["bin/bench", *words]), _commit(), machine.hardware(), time.strftime("%Y-%m-%d")
    )


def lines(of: Origin, rows: Rows, notes: Sequence[str]) -> list[str]:
    """Markdown: the line, the table where there is one, and what belongs to it. Pure."""
    blocks = [[str(of)], table.markdown(rows) if rows else [], *([note] for note in notes)]
    return ["", *(line for block in blocks if block for line in (*block, ""))]


def show(of: Origin | None, rows: Rows, *notes: str) -> None:
    """Print that, if it was asked for."""
    if of is not None:
        print("\n".join(lines(of, rows, notes)), flush=True)


def report(
    watch: Watch,
    of: Origin | None,
    how: str,
    rows: Rows,
    note: str,
    *,
    targets: Sequence[Target],
    summary: Mapping[str, float],
) -> None:
    """Print all that one measurement has found; as the last line `summary`, as JSON."""
    print("\n".join([watch.described, watch.disturbance(), how, "", *table.plain(rows)]))
    print("\n".join(["", note, "", "targets", *map(str, targets)]))
    show(of, rows, how, note)
    print(json.dumps(summary), flush=True)


def _commit() -> str:
    """The checkout's, as git abbreviates it."""
    git = ["git", "-c", "safe.directory=*", "-C", CHECKOUT]
    try:
        if run([*git, "rev-parse", "--show-prefix"]).strip():
            return "unknown"  # of a repository around the checkout
        commit = run([*git, "rev-parse", "--short", "HEAD"]).strip()
        changes = run([*git, "status", "--porcelain"]).strip()
    except Failed:
        return "unknown"
    return f"{commit}+changes" if changes else commit
