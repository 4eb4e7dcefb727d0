"""Memory that a later process maps again."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from nrs.tunnel.memory_file import MAGIC_BYTES, MemoryFile

SIZE = 1 << 20


@pytest.fixture
def first() -> Iterator[MemoryFile]:
    file = MemoryFile("nrs test 1", SIZE)
    yield file
    file.close()


def test_it_begins_with_zeros(first: MemoryFile) -> None:
    assert not first.is_inherited
    assert len(first.view) == SIZE
    assert not any(first.view)


def test_what_one_process_has_written_the_next_one_reads(first: MemoryFile) -> None:
    first.view[100:105] = b"alive"
    second = MemoryFile("nrs test 1", SIZE, os.dup(first.fd))
    assert second.is_inherited
    assert bytes(second.view[100:105]) == b"alive"
    second.view[0:1] = b"!"
    assert bytes(first.view[0:1]) == b"!"
    second.close()


@pytest.mark.parametrize(
    ("layout", "size"), [("nrs test 2", SIZE), ("nrs test 1", SIZE + 1)], ids=["layout", "size"]
)
def test_memory_of_another_layout_is_left(
    first: MemoryFile, caplog: pytest.LogCaptureFixture, layout: str, size: int
) -> None:
    first.view[0:5] = b"alive"
    inherited = os.dup(first.fd)
    other = MemoryFile(layout, size, inherited)
    assert not other.is_inherited
    assert not any(other.view)
    assert "what it knew is lost" in caplog.text
    assert bytes(first.view[0:5]) == b"alive"
    other.close()


def test_a_descriptor_of_something_else_is_closed(caplog: pytest.LogCaptureFixture) -> None:
    reader, writer = os.pipe()
    other = MemoryFile("nrs test 1", SIZE, reader)
    assert not other.is_inherited
    with pytest.raises(BrokenPipeError):
        os.write(writer, b"!")
    os.close(writer)
    other.close()


def test_only_what_was_written_takes_memory(first: MemoryFile) -> None:
    page = os.sysconf("SC_PAGESIZE")
    assert first.used_until() <= page - MAGIC_BYTES
    first.view[5 * page] = 1
    assert 5 * page < first.used_until() <= 6 * page
    assert os.fstat(first.fd).st_blocks * 512 <= 4 * page
    first.view[SIZE - 1] = 1
    assert first.used_until() == SIZE


def test_children_do_not_inherit_it(first: MemoryFile) -> None:
    assert not os.get_inheritable(first.fd)
