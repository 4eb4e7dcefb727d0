"""Which build of the agents a host is to have, as the role decides it."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "roles/common/files"))
from release_choice import Kind, choose

LACK = "no C compiler here"
OURS_C, OURS_PYTHON = "2.0.0 ab 3.11-x86_64", "2.0.0 ab-python 3.11-x86_64"
OLD_C, OLD_PYTHON = "1.0.0 cd 3.11-x86_64", "1.0.0 cd-python 3.11-x86_64"
BEFORE_UPGRADE = "2.0.0 ab 3.10-x86_64"
REFUSED = "refused"


@pytest.mark.parametrize("lack", ["", LACK])
@pytest.mark.parametrize(
    ("wish", "held", "with_compiler", "without"),
    [
        ("keep", "", OURS_C, OURS_PYTHON),
        ("keep", OURS_C, OURS_C, OURS_C),
        ("keep", OURS_PYTHON, OURS_PYTHON, OURS_PYTHON),
        ("keep", OLD_C, OURS_C, REFUSED),
        ("keep", OLD_PYTHON, OURS_C, OURS_PYTHON),
        ("keep", BEFORE_UPGRADE, OURS_C, REFUSED),
        ("keep", "unknown", OURS_C, OURS_PYTHON),
        ("c", "", OURS_C, REFUSED),
        ("c", OURS_C, OURS_C, OURS_C),
        ("c", OURS_PYTHON, OURS_C, REFUSED),
        ("c", OLD_PYTHON, OURS_C, REFUSED),
        ("python", OURS_C, OURS_PYTHON, OURS_PYTHON),
        ("python", OLD_C, OURS_PYTHON, OURS_PYTHON),
    ],
)
def test_the_choice(wish: str, held: str, with_compiler: str, without: str, lack: str) -> None:
    kind = Kind.parse(" ".join(filter(None, ("3.11-x86_64", wish, held))))
    chosen = choose(kind, "2.0.0", "ab", lack)
    expected = without if lack else with_compiler
    if expected == REFUSED:
        assert LACK in chosen.refused
        assert chosen.stamp == held, "it stays as it is"
    else:
        assert (chosen.stamp, chosen.refused) == (expected, "")
        assert chosen.codec == ("python" if "-python " in expected else "c")
