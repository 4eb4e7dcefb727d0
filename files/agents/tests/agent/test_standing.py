"""What an agent says of its release and its files."""

from __future__ import annotations

from pathlib import Path

import pytest

import nrs
from nrs.agent.standing import TAKES_A_RESTART, Reloads, release, standing


def test_the_release_is_that_of_the_stamp_or_the_version(tmp_path: Path) -> None:
    assert release(tmp_path) == nrs.__version__
    (tmp_path / "release").write_text("1.0.0 0123abcd 3.11-x86_64\n")
    assert release(tmp_path) == "1.0.0 0123abcd 3.11-x86_64"


def test_files_are_named_and_their_digests_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NRS_UNIT", raising=False)
    reloads = Reloads().after("it is refused").after(None).after("no such file")
    assert standing("1.0.0", {tmp_path / "b": "0" * 64, tmp_path / "a": "1"}, reloads) == {
        "release": "1.0.0",
        "unit": "",
        "files_not_in_force": [str(tmp_path / "a"), str(tmp_path / "b")],
        "reloads": 3,
        "reload_error": "no such file",
        "restart_needed": False,
    }
    assert standing("1.0.0", {}, Reloads(1, f"a {TAKES_A_RESTART}"))["restart_needed"]
    monkeypatch.setenv("NRS_UNIT", "0a")
    assert standing("1.0.0", {}, reloads)["unit"] == "0a"
