from __future__ import annotations

import logging
import subprocess
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from nrs.system import logs

log = logging.getLogger("nrs.example")


@pytest.fixture(autouse=True)
def restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    for handler in handlers:
        root.removeHandler(handler)
    yield
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)


@pytest.fixture(autouse=True)
def by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)


def test_to_standard_error_and_the_file(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "log" / "agent.log"
    logs.configure(file)
    log.info("ready")
    log.debug("unseen")
    assert capsys.readouterr().err == "INFO nrs.example: ready\n"
    (line,) = file.read_text().splitlines()
    assert line.endswith("INFO nrs.example: ready")


def test_the_journal_gets_priorities(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    logs.configure(None, level=logging.DEBUG)
    log.debug("a")
    log.info("b")
    log.warning("c")
    log.error("d\ne")
    log.critical("f")
    assert capsys.readouterr().err.splitlines() == [
        "<7>nrs.example: a",
        "<6>nrs.example: b",
        "<4>nrs.example: c",
        "<3>nrs.example: d",
        "<3>e",
        "<3>nrs.example: f",
    ]


def test_a_second_set_up_replaces_the_first(tmp_path: Path) -> None:
    logs.configure(tmp_path / "first.log")
    logs.configure(tmp_path / "second.log")
    log.warning("once")
    assert (tmp_path / "first.log").read_text() == ""
    assert (tmp_path / "second.log").read_text().count("once") == 1


def test_a_file_that_cannot_be_opened_leaves_things_as_they_were(tmp_path: Path) -> None:
    logs.configure(tmp_path / "first.log")
    with pytest.raises(OSError, match="Is a directory"):
        logs.configure(tmp_path)
    log.warning("still there")
    assert "still there" in (tmp_path / "first.log").read_text()


def test_the_file_is_rotated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(logs, "_FILE_BYTES", 1000)
    file = tmp_path / "agent.log"
    logs.configure(file)
    for number in range(200):
        log.info("line %d", number)
    kept = sorted(tmp_path.iterdir())
    assert len(kept) == logs._FILES_KEPT + 1
    assert all(path.stat().st_size <= 1000 for path in kept)
    assert "line 199" in file.read_text()


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A directory on a disk of 64 KiB."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", tmp_path], check=True)
    try:
        yield tmp_path
    finally:
        subprocess.run(["umount", "-l", tmp_path], check=True)


def test_a_full_disk_is_told_once_and_a_free_one_again(
    full: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = full / "agent.log"
    logs.configure(file)
    ballast = full / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as disk:
        while True:
            disk.write(bytes(1024))
    for number in range(2000):
        log.info("line %d", number)
    said = capsys.readouterr().err
    assert "Traceback" not in said
    assert "Logging error" not in said
    assert said.count(f"{file} cannot be written: No space left on device") == 1
    assert said.count(" line ") == 2000
    ballast.unlink()
    log.info("there is room")
    assert f"{file} can be written again" in capsys.readouterr().err
    assert "there is room" in file.read_text()
    logs.configure(None)


def test_an_agent_starts_with_a_full_disk_and_one_whose_log_fails_ends_well(
    full: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with suppress(OSError), (full / "ballast").open("wb", buffering=0) as disk:
        while True:
            disk.write(bytes(1024))
    logs.configure(full / "new" / "agent.log")
    log.info("ready")
    log.info("still ready")
    logs.configure(None)
    said = capsys.readouterr().err
    assert said.count("cannot be written") <= 1
    assert "still ready" in said
    assert "Traceback" not in said
