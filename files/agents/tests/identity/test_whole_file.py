from __future__ import annotations

import contextlib
import os
import stat
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from nrs.identity import whole_file


@pytest.fixture(autouse=True)
def lax_umask() -> Iterator[None]:
    before = os.umask(0)
    yield
    os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_only_the_owner_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "key"
    whole_file.create(path, "secret\n")
    assert (path.read_text(), mode(path)) == ("secret\n", 0o600)


def test_what_is_there_is_not_created_anew(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("kept")
    with pytest.raises(FileExistsError):
        whole_file.create(path, "other")
    assert path.read_text() == "kept"
    assert list(tmp_path.iterdir()) == [path]


def test_a_replaced_file_has_its_mode_and_nothing_is_left_over(tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text("open to all")
    path.chmod(0o666)
    whole_file.replace(path, "list", 0o640)
    assert (path.read_text(), mode(path)) == ("list", 0o640)
    assert list(tmp_path.iterdir()) == [path]


def test_a_failure_leaves_everything_as_it_was(tmp_path: Path) -> None:
    path = tmp_path / "directory"
    (path / "inside").mkdir(parents=True)
    with pytest.raises(OSError, match="directory"):
        whole_file.replace(path, "text")
    assert list(tmp_path.iterdir()) == [path]
    with pytest.raises(FileNotFoundError):
        whole_file.create(tmp_path / "missing" / "key", "text")


def test_what_a_crash_has_left_is_written_over(tmp_path: Path) -> None:
    path = tmp_path / "list"
    (tmp_path / ".list.new").write_text("half of a much longer text")
    whole_file.replace(path, "list")
    assert (path.read_text(), mode(path)) == ("list", 0o600)
    assert list(tmp_path.iterdir()) == [path]


def test_of_many_writers_each_writes_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "list"
    texts = [letter * 50_000 for letter in "abcd"]
    failed: list[OSError] = []

    def write(text: str) -> None:
        for _ in range(25):
            try:
                whole_file.replace(path, text)
            except OSError as error:
                failed.append(error)

    threads = [threading.Thread(target=write, args=(text,)) for text in texts]
    for thread in threads:
        thread.start()
    while any(thread.is_alive() for thread in threads):
        with contextlib.suppress(FileNotFoundError):
            assert path.read_text() in texts
    for thread in threads:
        thread.join()
    assert failed == []
    assert list(tmp_path.iterdir()) == [path]
