"""What an agent writes down for the process after it."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrs.agent.notes import FILE_NAME, Notes


def test_the_next_process_reads_them(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    assert notes.get("active") is None
    notes.put("active", "router_1")
    notes.put("turned on", ["a", "b"])
    later = Notes(tmp_path)
    assert (later.get("active"), later.get("turned on")) == ("router_1", ["a", "b"])
    later.put("active", "router_2")
    assert Notes(tmp_path).get("active") == "router_2"
    assert [file.name for file in tmp_path.iterdir()] == [FILE_NAME]


def test_what_is_the_same_is_not_written(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    notes.put("active", "router_1")
    (tmp_path / FILE_NAME).unlink()
    notes.put("active", "router_1")
    assert not (tmp_path / FILE_NAME).exists()


def test_a_stopped_agent_leaves_none(tmp_path: Path) -> None:
    notes = Notes(tmp_path)
    notes.put("active", "router_1")
    notes.clear()
    notes.clear()
    assert Notes(tmp_path).get("active") is None


@pytest.mark.parametrize("text", ["{", "[]", "\xff"])
def test_damaged_notes_are_left_out(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE_NAME).write_text(text, encoding="latin-1")
    notes = Notes(tmp_path)
    notes.put("active", "router_1")
    assert Notes(tmp_path).get("active") == "router_1"


def test_a_directory_that_cannot_be_is_told_and_nothing_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "file").touch()
    Notes(tmp_path / "file").put("active", "router_1")
    assert "a restart will not know active" in caplog.text
