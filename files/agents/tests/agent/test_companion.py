from __future__ import annotations

import json
from pathlib import Path

import pytest
from testbed.wait import wait_until

from nrs.agent.companion import Companion


def test_a_companion_is_hurried_and_a_full_pipe_does_not_hold_the_agent_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reads_little.py").write_text(
        "import os, sys, time\nos.read(0, 1)\nopen('asked', 'w').close()\ntime.sleep(60)\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    one = Companion("reads_little", tmp_path, lambda: {"number": 1})
    one.hurry()
    one.start()
    try:
        one.hurry()
        wait_until((tmp_path / "asked").exists, 10, "the companion was asked")
        for _ in range(100_000):  # a pipe holds 65,536 bytes
            one.hurry()
    finally:
        one.stop()
    one.hurry()


def test_one_that_has_ended_gets_what_the_agent_then_works_with(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "notes_work.py").write_text(
        "import pathlib, sys, os\n"
        "line = sys.stdin.readline()\n"
        "pathlib.Path(f'got-{os.getpid()}').write_text(line)\n"
        "sys.stdin.read()\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    now, number = [0.0], [1]
    one = Companion("notes_work", tmp_path, lambda: {"number": number[0]}, clock=lambda: now[0])

    def got() -> list[int]:
        texts = [path.read_text(encoding="utf-8") for path in tmp_path.glob("got-*")]
        return sorted(json.loads(text)["number"] for text in texts if text)

    one.start()
    try:
        wait_until(lambda: got() == [1], 10, "the work is given")
        number[0] = 2
        assert one._process is not None
        one._process.kill()
        wait_until(lambda: one._process is None, 10, "the end is noticed")
        assert got() == [1], "later, as it has ended by itself"
        now[0] += 1.5
        wait_until(lambda: got() == [1, 2], 10, "the work is given anew")
    finally:
        one.stop()
