"""Running a tool: its status, its output, and its end when its time is up."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest
from harness import process

from testbed.proc import runs
from testbed.wait import wait_until


def _run(tmp_path: Path, script: str, limit: float = 20) -> process.Ended:
    return process.run(["sh", "-c", script], cwd=tmp_path, env=dict(os.environ), limit=limit)


def test_status_and_output(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ended = _run(tmp_path, "echo out; echo err >&2; exit 3")
    assert (ended.status, ended.ok) == (3, False)
    assert ended.output == "out\nerr\n"
    assert capsys.readouterr().out == ended.output


def test_nothing_can_be_read_from_standard_input(tmp_path: Path) -> None:
    assert _run(tmp_path, "read line || echo nothing").output == "nothing\n"


def test_a_tool_that_does_not_end_is_ended_with_all_it_started(tmp_path: Path) -> None:
    started = time.monotonic()
    ended = _run(tmp_path, "sleep 60 & echo $! >child; wait", limit=0.3)
    assert time.monotonic() - started < 15
    assert (ended.status, ended.ok) == (None, False)
    assert "ended" in ended.output
    child = int((tmp_path / "child").read_text())
    wait_until(lambda: not runs(child), 5, "the child has ended")
