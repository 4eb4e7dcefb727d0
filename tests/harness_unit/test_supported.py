"""The supported versions of ansible-core are the same ones wherever they are stated."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from harness.settings import CHECKOUT


def pinned(which: str) -> str:
    """The minor version that an environment of bin/test has, such as 2.18."""
    text = (CHECKOUT / "tests" / f"requirements-{which}.txt").read_text()
    (version,) = re.findall(r"^ansible-core==(\d+\.\d+)\.\d+ ", text, re.MULTILINE)
    return str(version)


def test_the_collection_requires_the_oldest_that_is_pinned() -> None:
    runtime = yaml.safe_load((CHECKOUT / "meta" / "runtime.yml").read_text())
    assert runtime["requires_ansible"] == f">={pinned('oldest')}.0"


@pytest.mark.parametrize("role", sorted((CHECKOUT / "roles").iterdir()), ids=lambda role: role.name)
def test_so_does_each_role(role: Path) -> None:
    meta = yaml.safe_load((role / "meta" / "main.yml").read_text())
    assert meta["galaxy_info"]["min_ansible_version"] == pinned("oldest")


def test_readme_names_both_ends() -> None:
    readme = (CHECKOUT / "README.md").read_text()
    oldest, newest = pinned("oldest"), pinned("newest")
    assert f"ansible-core {oldest} (on Python 3.11) to {newest} (on Python 3.12 or newer)" in readme


def test_sanity_ignores_nothing() -> None:
    ignored = (CHECKOUT / "tests" / "sanity").glob("ignore-*.txt")
    assert [path.name for path in ignored if path.read_text().strip()] == []
