from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
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


class Noting:
    """A companion that notes each work that it is given, and the number that it is to get next."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        (directory / "notes_work.py").write_text(
            "import pathlib, sys, os\n"
            "line = sys.stdin.readline()\n"
            "pathlib.Path(f'got-{os.getpid()}').write_text(line)\n"
            "sys.stdin.read()\n",
            encoding="utf-8",
        )
        self.now, self.number = 0.0, 1
        self.companion = Companion(
            "notes_work", directory, lambda: {"number": self.number}, clock=lambda: self.now
        )

    def got(self) -> list[int]:
        texts = [path.read_text(encoding="utf-8") for path in self._directory.glob("got-*")]
        return sorted(json.loads(text)["number"] for text in texts if text)


@pytest.fixture
def noting(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Noting]:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    noting = Noting(tmp_path)
    noting.companion.start()
    try:
        wait_until(lambda: noting.got() == [1], 10, "the work is given")
        yield noting
    finally:
        noting.companion.stop()


def test_one_that_has_ended_gets_what_the_agent_then_works_with(noting: Noting) -> None:
    noting.number = 2
    process = noting.companion._process
    assert process is not None
    process.kill()
    wait_until(lambda: noting.companion._process is None, 10, "the end is noticed")
    assert noting.got() == [1], "later, as it has ended by itself"
    noting.now += 1.5
    wait_until(lambda: noting.got() == [1, 2], 10, "the work is given anew")


def test_one_is_replaced_only_where_its_work_is_another(noting: Noting) -> None:
    process = noting.companion._process
    assert process is not None
    noting.companion.renew()
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    noting.number = 2
    noting.companion.renew()
    wait_until(lambda: noting.got() == [1, 2], 10, "the work is given anew")
    noting.companion.restart()
    wait_until(lambda: noting.got() == [1, 2, 2], 10, "it is replaced whatever its work is")
