from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

import pytest

from nrs.endpoint import event_file
from nrs.endpoint.event_file import FILE_NAME, EventWriter
from nrs.endpoint.events import SwitchLog

from .switches import fields_of, log_of, switch


def test_what_is_written_is_read_again_in_order(tmp_path: Path) -> None:
    switches = SwitchLog(most=3)
    writer = EventWriter(tmp_path, switches)
    for _ in range(5):
        switches.add(**fields_of())
        writer.save()
    switches.measured(4, 44.0)
    writer.save()
    kept = event_file.read(tmp_path)
    assert kept == switches.last()
    assert [(s.number, s.gap_ms) for s in kept] == [(3, None), (4, 44.0), (5, None)]
    assert [path.name for path in tmp_path.iterdir()] == [FILE_NAME]


def test_numbers_go_on_after_a_restart(tmp_path: Path) -> None:
    before = SwitchLog()
    writer = EventWriter(tmp_path, before)
    before.add(**fields_of())
    writer.save()
    after = SwitchLog(start=event_file.read(tmp_path))
    writer = EventWriter(tmp_path, after)
    assert after.add(**fields_of()).number == 2
    writer.save()
    assert event_file.read(tmp_path) == after.last()


def test_without_a_change_nothing_is_written(tmp_path: Path) -> None:
    switches = log_of(2)
    writer = EventWriter(tmp_path, switches)
    writer.save()
    assert not (tmp_path / FILE_NAME).exists()
    switches.measured(1, 3.0)
    writer.save()
    (tmp_path / FILE_NAME).unlink()
    writer.save()
    assert not (tmp_path / FILE_NAME).exists()


def test_nothing_is_kept_where_there_is_no_directory() -> None:
    switches = SwitchLog(start=event_file.read(None))
    writer = EventWriter(None, switches)
    switches.add(**fields_of())
    writer.save()


def test_the_thread_writes_by_itself_and_at_its_end(tmp_path: Path) -> None:
    """The period is no part of the test: the end comes long before it."""
    switches = SwitchLog()
    writer = EventWriter(tmp_path, switches, period=3600)
    writer.start()
    switches.add(**fields_of())
    writer.stop()
    assert event_file.read(tmp_path) == switches.last()
    assert "events" not in {thread.name for thread in threading.enumerate()}


def test_the_thread_writes_without_being_told(tmp_path: Path) -> None:
    switches = SwitchLog()
    writer = EventWriter(tmp_path, switches, period=0.001)
    switches.add(**fields_of())
    written = threading.Event()
    save = writer.save

    def noted() -> None:
        save()
        written.set()

    writer.save = noted  # type: ignore[method-assign]
    writer.start()
    try:
        assert written.wait(30)
        assert event_file.read(tmp_path) == switches.last()
    finally:
        writer.stop()


def lines(*numbers: int) -> list[bytes]:
    return [json.dumps(switch(number).as_dict()).encode() for number in numbers]


@pytest.mark.parametrize(
    ("content", "kept", "warning"),
    [
        (b"", [], None),
        (b"\n".join(lines(1, 2)), [1, 2], None),
        (b"\n".join(lines(1, 2))[:-1], [1], "1 of 2 events"),
        (b"\n".join([*lines(1), b"\xff\x00", *lines(3)]), [1, 3], "1 of 3 events"),
        (b"\x00" * 4096, [], "1 of 1 events"),
        (b"{}\n[]\nnull\n7\n", [], "4 of 4 events"),
        (b"[" * 100_000, [], "1 of 1 events"),
        (b'{"number": ' + b"9" * 5000 + b"}", [], "1 of 1 events"),
    ],
)
def test_damage_costs_its_lines_and_one_warning(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    content: bytes,
    kept: list[int],
    warning: str | None,
) -> None:
    (tmp_path / FILE_NAME).write_bytes(content)
    assert [s.number for s in event_file.read(tmp_path)] == kept
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == (0 if warning is None else 1)
    assert all((warning or "") in text for text in warnings)


def test_a_file_that_cannot_be_read_is_an_empty_one(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / FILE_NAME).mkdir()
    assert event_file.read(tmp_path) == []
    assert "Is a directory" in caplog.text


def test_a_failing_disk_is_said_once_and_its_end_too(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    directory = tmp_path / "state"
    switches = SwitchLog()
    writer = EventWriter(directory, switches)
    switches.add(**fields_of())
    writer.save()
    writer.save()
    directory.mkdir()
    writer.save()
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert event_file.read(directory) == switches.last()
