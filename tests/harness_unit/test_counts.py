"""Counting what tools print: a failure is never counted as a pass."""

from __future__ import annotations

import pytest
from harness.counts import Counts, of_command, of_pytest, of_sanity, total


@pytest.mark.parametrize(
    ("output", "ok", "expected"),
    [
        ("12 passed in 0.31s\n", True, Counts(12)),
        ("=== 1 failed, 2 passed, 3 skipped in 1.20s ===\n", False, Counts(2, 1, 3)),
        ("==== 2 passed, 1 error in 0.1s ====", False, Counts(2, 1)),
        ("1 failed, 1 passed, 2 errors in 61.00s (0:01:01)", False, Counts(1, 3)),
        ("3 passed, 1 warning in 0.1s\n", True, Counts(3)),
        ("== 46 passed in 4s ==\ntext\n== 28 passed in 3.18s ==\n", True, Counts(74)),
        ("no tests ran in 0.01s\n", False, Counts(0, 1)),
        ("no tests ran in 0.01s\n", True, Counts(0, 1)),
        ("5 passed in 1.00s\nSegmentation fault\n", False, Counts(5, 1)),
        ("", False, Counts(0, 1)),
        ("a test said 3 passed, 1 failed to nobody\n9 passed in 1s", True, Counts(9)),
    ],
)
def test_pytest(output: str, ok: bool, expected: Counts) -> None:
    assert of_pytest(output, ok) == expected


SANITY = 'Running sanity test "pep8"\nRunning sanity test "compile" on Python 3.11\n'


@pytest.mark.parametrize(
    ("output", "ok", "expected"),
    [
        (SANITY, True, Counts(2)),
        (
            SANITY + "FATAL: The 1 sanity test(s) listed below (out of 2) failed.\n",
            False,
            Counts(1, 1),
        ),
        (SANITY + "FATAL: something else\n", False, Counts(2, 1)),
        ("", True, Counts(0, 1)),
    ],
)
def test_sanity(output: str, ok: bool, expected: Counts) -> None:
    assert of_sanity(output, ok) == expected


def test_a_linter_is_one_check() -> None:
    assert (of_command("anything", True), of_command("", False)) == (Counts(1), Counts(0, 1))


def test_the_sum() -> None:
    assert str(total([Counts(1, 0, 2), Counts(3, 4)])) == "4 passed, 4 failed, 2 skipped"
    assert str(Counts(2)) == "2 passed, 0 failed"
