"""Which interpreters the agents are tested on."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from harness import interpreters
from harness.interpreters import Interpreter
from harness.report import Unusable


def _found(*versions: str) -> list[Interpreter]:
    return [Interpreter(version, Path(f"/usr/bin/python{version}")) for version in versions]


@pytest.mark.parametrize(
    ("versions", "chosen"),
    [
        (["3.10", "3.11", "3.13"], ["3.10", "3.13"]),
        (["3.11", "3.12"], ["3.11", "3.12"]),
        (["3.11"], ["3.11"]),
    ],
)
def test_oldest_and_newest(versions: list[str], chosen: list[str]) -> None:
    picked = interpreters.oldest_and_newest(_found(*versions))
    assert [each.version for each in picked] == chosen


def test_none_at_all() -> None:
    with pytest.raises(Unusable, match="no Python"):
        interpreters.oldest_and_newest([])


def test_a_name_that_does_not_work_is_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for directory, script in (("shim", "exit 127"), ("other", "echo 3.9")):
        (tmp_path / directory).mkdir()
        fake = tmp_path / directory / "python3.10"
        fake.write_text(f"#!/bin/sh\n{script}\n")
        fake.chmod(0o755)
        monkeypatch.setattr(interpreters, "_candidates", lambda _version, it=fake: iter([it]))
        assert interpreters.present() == []


def test_this_interpreter_is_found() -> None:
    version = ".".join(map(str, sys.version_info[:2]))
    assert version in [each.version for each in interpreters.present()]
