"""What is noted of the files that a configuration is read from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from nrs.config.held import NotingReader, changed, named_in
from nrs.config.loader import read_mapping


def test_every_file_that_is_named_is_found_but_those_that_are_written() -> None:
    data = {
        "tunnel": {"psk_file": "/a", "mtu": 1400},
        "routers": [{"device_key_file": "/b"}, {"psk_file": None}],
        "server": {"log_file": "/log", "record_file": "/record"},
    }
    assert [*map(str, named_in(data))] == ["/a", "/b"]


@pytest.mark.parametrize("which", ["file", "psk"])
def test_what_holds_something_else_by_now_is_named(tmp_path: Path, which: str) -> None:
    psk, missing = tmp_path / "psk", tmp_path / "missing"
    file = tmp_path / "file"
    psk.write_text("a")
    file.write_text(f"psk_file: {psk}\nca_file: {missing}\n")
    read = NotingReader()
    read(file)
    assert changed(read.held) == []
    content = (tmp_path / which).read_text()
    (tmp_path / which).write_text("other")
    missing.write_text("one that was not there")
    assert changed(read.held) == [tmp_path / which, missing]
    (tmp_path / which).write_text(content)
    missing.unlink()
    assert changed(read.held) == []


def test_what_changes_while_it_is_read_counts_as_changed(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("a: 1\n")

    def changing(path: Path) -> dict[str, Any]:
        data = read_mapping(path)
        path.write_text("a: 2\n")
        return data

    read = NotingReader(changing)
    assert read(file) == {"a": 1}
    assert changed(read.held) == [file]
