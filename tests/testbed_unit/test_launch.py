"""A package of the checkout that a launcher lies in."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from testbed import launch
from testbed.command import run

PROGRAM = """
import os, sys
from shown.said import WHOSE
print(WHOSE, os.getcwd(), sys.argv[1:])
"""


def test_it_gets_its_words_and_runs_where_it_is_called(tmp_path: Path) -> None:
    """So that paths mean there what they mean to whoever has typed them."""
    checkout, elsewhere = tmp_path / "checkout", tmp_path / "elsewhere"
    for place, says in ((checkout, "own"), (elsewhere, "DECOY")):
        (place / "shown").mkdir(parents=True)
        (place / "shown" / "said.py").write_text(f"WHOSE = {says!r}\n")
        (place / "shown" / "__main__.py").write_text(PROGRAM)
    (checkout / "testbed").mkdir()
    copy = shutil.copy(launch.__file__, checkout / "testbed")
    env = {**os.environ, "PYTHONPATH": str(elsewhere)}
    said = run(["python3", "-I", copy, "shown", "a/b", "--c"], cwd=elsewhere, env=env)
    assert said == f"own {elsewhere} ['a/b', '--c']\n"
