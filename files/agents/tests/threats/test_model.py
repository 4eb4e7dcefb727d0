"""Each line of the threat model names a test that shows it, or says that it is open."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.threats.model import SECURITY

CHECKOUT = SECURITY.parents[1]
AGENTS = CHECKOUT / "files" / "agents" / "tests"
_NAMED = re.compile(r"`([\w/]+\.py)`(?:: ([^;`]+))?")


def rows() -> Iterator[tuple[str, str]]:
    """The lines, and what shows each."""
    for line in SECURITY.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and cells != ["", "test"]:
            yield cells[0], cells[1]


@pytest.mark.parametrize(("said", "shown"), list(rows()))
def test_a_line_names_its_test(said: str, shown: str) -> None:
    if said.startswith("**open**"):
        assert shown == ""
        return
    named = _NAMED.findall(shown)
    assert named, said
    for path, names in named:
        file = (CHECKOUT if path.startswith("tests/") else AGENTS) / path
        tests = set(re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8")))
        assert tests
        assert names, f"{path}: which test?"
        for name in names.split(", "):
            words = re.sub("[^a-z0-9]+", "_", name.lower().replace("'", ""))
            assert f"test_{words}" in tests, (path, name)


def test_the_document_has_lines() -> None:
    assert len(list(rows())) > 30
