"""The table that a person reads, and the one that a document has."""

from __future__ import annotations

from bench import table

ROWS = [["engine", "Gb/s"], ["x|y", "10.00"]]


def test_columns_are_aligned() -> None:
    assert table.plain(ROWS) == ["engine   Gb/s", "x|y     10.00"]


def test_the_same_for_a_document() -> None:
    assert table.markdown(ROWS) == ["| engine | Gb/s |", "| --- | ---: |", r"| x\|y | 10.00 |"]


def test_both_have_the_same_cells() -> None:
    rows = [["a", "b", "c"], ["1", "-", "3"], ["4", "5", "6"]]
    cells = [line.strip("| ").split(" | ") for line in table.markdown(rows)]
    assert [cells[0], *cells[2:]] == [line.split() for line in table.plain(rows)] == rows


def test_what_there_is_none_of_is_a_dash() -> None:
    assert [table.number(None, 2), table.number(0.0, 2), table.number(1.005, 0)] == [
        "-",
        "0.00",
        "1",
    ]
