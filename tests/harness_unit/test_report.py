"""The closing summary and the exit status that goes with it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from harness.counts import Counts, of_command
from harness.report import Outcome, Report, Step


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


def test_steps_run_side_by_side_and_are_told_one_after_the_other(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    report, env = Report(), dict(os.environ)
    # Neither ends without the other.
    steps = {
        "reads": Step(["sh", "-c", "echo a; cat pipe; echo b; exit 3"], tmp_path, env),
        "writes": Step(["sh", "-c", "echo c > pipe; echo d"], tmp_path, env),
    }
    report.steps_beside("lint", steps, limit=20, count=of_command)
    assert [outcome.ok for outcome in report.outcomes] == [False, True]
    told = [line for line in capsys.readouterr().out.splitlines() if line]
    assert told[0] == "--- lint: reads, writes"
    assert told[1:5] == ["--- lint: reads", "a", "c", "b"]
    assert told[6:8] == ["--- lint: writes", "d"]
