"""The closing summary and the exit status that goes with it."""

from __future__ import annotations

import os
from pathlib import Path

from harness.counts import Counts
from harness.report import Outcome, Report


def test_every_step_part_and_all_are_summed() -> None:
    report = Report()
    report.add(Outcome("lint", "ruff", Counts(1), 0.5))
    report.add(Outcome("unit", "agents", Counts(10, 2), 3.0))
    report.fail("unit", "setting up", "no Python")
    report.note("something to know")
    lines = report.lines()
    assert lines[-3:] == [
        "lint: 1 passed, 0 failed",
        "unit: 10 passed, 3 failed",
        "11 passed, 3 failed",
    ]
    assert "note: something to know" in lines
    assert [line.endswith("FAILED") for line in lines[:3]] == [False, True, True]


def test_a_step_that_fails_is_counted(tmp_path: Path) -> None:
    report = Report()
    env = dict(os.environ)
    assert report.step("lint", "good", ["true"], cwd=tmp_path, env=env, limit=10).ok
    assert not report.step("lint", "bad", ["false"], cwd=tmp_path, env=env, limit=10).ok
    assert report.counts == Counts(1, 1)
