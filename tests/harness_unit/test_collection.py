"""What is copied for Ansible's tools: what git has or would have, and nothing else."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from harness import collection
from harness.report import Unusable


def test_tracked_and_new_files_but_no_ignored_or_deleted_ones(tmp_path: Path) -> None:
    for name in ("tracked", "deleted", "new", "ignored"):
        (tmp_path / name).write_text(name)
    (tmp_path / ".gitignore").write_text("ignored\n")
    subprocess.run(["git", "init", "--quiet"], cwd=tmp_path, check=True)
    subprocess.run(["git", "add", "tracked", "deleted"], cwd=tmp_path, check=True)
    (tmp_path / "deleted").unlink()
    assert sorted(map(str, collection.files(tmp_path))) == [".gitignore", "new", "tracked"]


def test_without_git_it_says_so(tmp_path: Path) -> None:
    with pytest.raises(Unusable, match="git cannot list"):
        collection.files(tmp_path)
