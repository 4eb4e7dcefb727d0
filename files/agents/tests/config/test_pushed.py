"""Pushed configuration: merged over the file, stored so that a crash leaves a whole one."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrs.balancer.config import LoadBalancerConfig
from nrs.config import pushed
from nrs.config.loader import ConfigError, Pushed, load, merge


def test_mappings_are_merged_and_everything_else_is_replaced() -> None:
    base = {"tunnel": {"psk": "x", "routes": ["a", "b"]}, "name": "n"}
    over = {"tunnel": {"routes": ["c"]}, "name": {"deep": 1}}
    assert merge(base, over) == {
        "tunnel": {"psk": "x", "routes": ["c"]},
        "name": {"deep": 1},
    }
    assert base["tunnel"] == {"psk": "x", "routes": ["a", "b"]}


def test_what_is_written_is_read_again(tmp_path: Path) -> None:
    assert pushed.read(tmp_path) == Pushed()
    stored = Pushed(3, {"tunnel": {"routes": ["198.51.100.0/24"]}})
    pushed.write(tmp_path, stored)
    assert pushed.read(tmp_path) == stored
    assert [path.name for path in tmp_path.iterdir()] == [pushed.FILE_NAME]


@pytest.mark.parametrize("text", ["", "[]", '{"version": "x", "config": {}}', '{"version": 1}'])
def test_a_damaged_store_is_an_error_that_names_the_file(tmp_path: Path, text: str) -> None:
    (tmp_path / pushed.FILE_NAME).write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=pushed.FILE_NAME):
        pushed.read(tmp_path)


def test_an_error_in_the_pushed_part_names_the_version(tmp_path: Path) -> None:
    path = tmp_path / "load_balancer.yaml"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"pushed version 7: server\.bind_port: found 0"):
        load(path, LoadBalancerConfig, Pushed(7, {"server": {"bind_port": 0}}))
