"""How many checks passed and failed, from what a tool printed and how it ended."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

_PYTEST = re.compile(r"^(?:=+ )?((?:\d+ \w+(?:, )?)+) in [\d.]+s\b.*$", re.MULTILINE)
_COUNT = re.compile(r"(\d+) (passed|failed|errors?|skipped)\b")
_SANITY = re.compile(r'^Running sanity test "', re.MULTILINE)
_SANITY_FAILED = re.compile(r"The (\d+) sanity test\(s\) listed below")


@dataclass(frozen=True)
class Counts:
    """Checks by outcome; adding two adds each."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: Counts) -> Counts:
        return Counts(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped
        )

    def __str__(self) -> str:
        text = f"{self.passed} passed, {self.failed} failed"
        return f"{text}, {self.skipped} skipped" if self.skipped else text


def total(counts: Iterable[Counts]) -> Counts:
    """The sum of all."""
    return sum(counts, Counts())


def of_command(_output: str, ok: bool) -> Counts:
    """A tool that only passes or fails is one check."""
    return Counts(int(ok), int(not ok))


def of_pytest(output: str, ok: bool) -> Counts:
    """The closing lines of every pytest run in the output."""
    found = Counts()
    for line in _PYTEST.findall(output):
        by_name = {name.removesuffix("s"): int(count) for count, name in _COUNT.findall(line)}
        found += Counts(
            by_name.get("passed", 0),
            by_name.get("failed", 0) + by_name.get("error", 0),
            by_name.get("skipped", 0),
        )
    return _agreeing(found, ok)


def of_sanity(output: str, ok: bool) -> Counts:
    """Each of ansible-test's sanity tests is one check."""
    run = len(_SANITY.findall(output))
    failed = sum(map(int, _SANITY_FAILED.findall(output)))
    return _agreeing(Counts(run - failed, failed), ok)


def _agreeing(found: Counts, ok: bool) -> Counts:
    """A run that ended badly failed, whatever it counted, and so did one that ran nothing."""
    if found.failed == 0 and (not ok or found.passed == 0):
        return found + Counts(failed=1)
    return found
