"""`nrs` as a user runs it, in a process of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from nrs.cli.main import main
from nrs.system.control import ControlThread, Handler, socket_path

AGENTS = Path(__file__).parents[2]
Nrs = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A runtime directory in which nothing runs yet."""
    directory = tmp_path / "run"
    monkeypatch.setenv("NRS_RUNTIME_DIRECTORY", str(directory))
    return directory


@pytest.fixture
def nrs() -> Nrs:
    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "nrs", *map(str, arguments)],
            cwd=AGENTS,
            env={**os.environ, "PYTHONUTF8": "1"},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    return call


@pytest.fixture
def inline() -> Nrs:
    """`nrs` in this process, where many calls are to take little time."""

    def call(*arguments: object) -> subprocess.CompletedProcess[str]:
        words = list(map(str, arguments))
        done = CliRunner().invoke(main, words, catch_exceptions=False)
        return subprocess.CompletedProcess(words, done.exit_code, done.stdout, done.stderr)

    return call


@pytest.fixture
def agent() -> Iterator[Callable[..., None]]:
    """Puts a unit's control socket in place that answers with a given status, and commands."""
    threads: list[ControlThread] = []

    def start(unit: str, status: dict[str, Any], **commands: Handler) -> None:
        handlers = {"status": lambda _request: status, **commands}
        threads.append(ControlThread(socket_path(unit), handlers))
        threads[-1].start()

    yield start
    for thread in threads:
        thread.stop()
