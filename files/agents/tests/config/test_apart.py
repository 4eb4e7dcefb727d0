"""A large file is read in another process, and is the same."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from nrs.config import apart
from nrs.config.apart import read_apart
from nrs.config.loader import ConfigError, read_mapping

LARGE = {"tunnel": {"routes": [f"100.64.{n // 4}.{n % 4 * 64}/26" for n in range(1000)]}, "x": 1.5}


def written(tmp_path: Path, text: str) -> Path:
    file = tmp_path / "file.yaml"
    file.write_text(text, encoding="utf-8")
    return file


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """What is parsed in this process."""
    parsed: list[Path] = []

    def read(path: Path) -> dict[str, object]:
        parsed.append(path)
        return read_mapping(path)

    monkeypatch.setattr(apart, "read_mapping", read)
    return parsed


def test_a_large_file_is_not_parsed_here(tmp_path: Path, here: list[Path]) -> None:
    file = written(tmp_path, yaml.safe_dump(LARGE))
    assert read_apart(file) == LARGE
    assert here == []


def test_a_small_one_is(tmp_path: Path, here: list[Path]) -> None:
    file = written(tmp_path, "a: 1\n")
    assert read_apart(file) == {"a": 1}
    assert here == [file]


@pytest.mark.parametrize("more", ["a: 1\na: 2\n", "- 1\n", "a: [\n"])
def test_what_is_wrong_is_said_as_ever(tmp_path: Path, here: list[Path], more: str) -> None:
    file = written(tmp_path, yaml.safe_dump(LARGE) + more)
    with pytest.raises(ConfigError) as expected:
        read_mapping(file)
    with pytest.raises(ConfigError) as found:
        read_apart(file)
    assert str(found.value) == str(expected.value)
    assert here == []


def test_what_json_does_not_know_comes_through(tmp_path: Path) -> None:
    file = written(tmp_path, yaml.safe_dump(LARGE) + "port: 0755\n")
    assert read_apart(file) == read_mapping(file)


def test_a_file_that_is_not_there_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        read_apart(tmp_path / "none.yaml")
