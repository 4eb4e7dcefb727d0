from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from testbed.wait import wait_until

from nrs.agent import reporting
from nrs.agent.companion import Companion, Wake, wait
from nrs.agent.reporting import Task

HOUR = 3600.0


@pytest.fixture
def agent(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The agent's end of the pipe that is this process's standard input."""
    reader, writer = os.pipe()
    with os.fdopen(reader, encoding="utf-8") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield writer
        try:
            os.close(writer)
        except OSError:
            return


def test_what_the_agent_wants(agent: int) -> None:
    assert wait(0.0) is Wake.TIME
    assert wait(-1.0) is Wake.TIME
    os.write(agent, b"!!!")
    assert wait(HOUR) is Wake.HURRIED
    assert wait(0.0) is Wake.TIME
    os.close(agent)
    assert wait(HOUR) is Wake.ENDED


def test_only_what_is_urgent_is_done_when_the_agent_asks(agent: int) -> None:
    done: list[str] = []

    def urgent() -> None:
        done.append("urgent")
        if len(done) == 4:
            os.close(agent)
        else:
            os.write(agent, b"!")

    reporting.repeat([Task(HOUR, lambda: done.append("plain")), Task(HOUR, urgent, hurried=True)])
    assert done == ["plain", "urgent", "urgent", "urgent"]


def test_work_may_say_when_it_is_to_be_done_again(agent: int) -> None:
    done: list[str] = []

    def impatient() -> float | None:
        done.append("impatient")
        if len(done) == 3:
            os.close(agent)
        return 0.0 if len(done) == 1 else 0.01

    reporting.repeat([Task(HOUR, impatient)])
    assert done == ["impatient"] * 3


def test_a_companion_is_hurried_and_a_full_pipe_does_not_hold_the_agent_up(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reads_little.py").write_text(
        "import os, sys, time\nos.read(0, 1)\nopen('asked', 'w').close()\ntime.sleep(60)\n",
        encoding="utf-8",
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    one = Companion("reads_little", tmp_path, tmp_path)
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
