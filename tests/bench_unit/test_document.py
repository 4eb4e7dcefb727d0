"""Figures as a document has them."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from bench import __main__ as command_line
from bench import document, machine
from bench.document import Origin
from bench.settings import Places

ORIGIN = Origin("bin/bench tunnel --markdown", "abc1234", "2 x Fast, Linux 6.1", "2026-01-05")


def git(checkout: Path, *words: str) -> str:
    own = ["-c", "user.name=x", "-c", "user.email=x@example.net", "-C", str(checkout)]
    return subprocess.run(["git", *own, *words], check=True, capture_output=True, text=True).stdout


def test_a_table_stands_below_where_it_comes_from_and_above_what_belongs_to_it() -> None:
    assert document.lines(ORIGIN, [["a", "b"], ["1", "2"]], ["one", "two"]) == [
        "",
        "`bin/bench tunnel --markdown`, 2026-01-05, commit abc1234, 2 x Fast, Linux 6.1",
        "",
        "| a | b |",
        "| --- | ---: |",
        "| 1 | 2 |",
        "",
        "one",
        "",
        "two",
        "",
    ]


def test_there_may_be_no_table() -> None:
    assert document.lines(ORIGIN, [], ["one"]) == ["", str(ORIGIN), "", "one", ""]


def test_nothing_is_printed_unless_it_is_asked_for(capsys: pytest.CaptureFixture[str]) -> None:
    document.show(None, [["a"]], "one")
    assert capsys.readouterr().out == ""
    document.show(ORIGIN, [["a"]], "one")
    assert capsys.readouterr().out.splitlines()[-2] == "one"


def test_the_machine_is_told_as_elsewhere_in_the_output() -> None:
    found = document.origin(["balancer", "--servers", "a b"])
    assert found.command == "bin/bench balancer --servers 'a b'"
    assert found.machine == machine.hardware()
    assert found.machine in machine.Watch().described
    assert found.machine.partition(" x ")[0].isdigit()


def test_the_commit_and_whether_anything_has_changed_since(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(document, "CHECKOUT", tmp_path)
    assert document.origin([]).commit == "unknown"
    git(tmp_path, "init", "--quiet")
    assert document.origin([]).commit == "unknown"
    (tmp_path / "file").touch()
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "--quiet", "--message", "x")
    commit = git(tmp_path, "rev-parse", "--short", "HEAD").strip()
    assert document.origin([]).commit == commit
    (tmp_path / "new").touch()
    assert document.origin([]).commit == f"{commit}+changes"
    (tmp_path / "installed").mkdir()
    monkeypatch.setattr(document, "CHECKOUT", tmp_path / "installed")
    assert document.origin([]).commit == "unknown"


@pytest.mark.parametrize("name", command_line.PARTS)
def test_every_part_gets_it(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seen: list[Origin | None] = []
    part = command_line.PARTS[name]._replace(
        measure=lambda options, _places: seen.append(options.origin) or 0
    )
    monkeypatch.setitem(command_line.PARTS, name, part)
    monkeypatch.setattr(command_line, "places", lambda: Places(tmp_path))
    monkeypatch.setattr(command_line.signal, "signal", lambda *_: None)
    assert command_line.main([name]) == 0
    assert command_line.main([name, "--markdown"]) == 0
    assert seen[0] is None
    assert seen[1] is not None
    assert seen[1].command == f"bin/bench {name} --markdown"
