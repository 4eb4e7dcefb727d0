"""Pushed configuration: merged over the file, stored so that a crash leaves a whole one."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from nrs.balancer.config import LoadBalancerConfig
from nrs.config import pushed
from nrs.config.loader import ConfigError, Pushed, load, load_pushed
from nrs.config.overlay import OverlayRefused, merge


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


def lay(_: object, data: dict[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    return merge(data, over)


def test_an_error_in_the_pushed_part_names_the_version(tmp_path: Path) -> None:
    path = tmp_path / "load_balancer.yaml"
    path.write_text("{}", encoding="utf-8")
    wrong = Pushed(7, {"server": {"bind_port": 0}})
    with pytest.raises(ConfigError, match=r"pushed version 7: server\.bind_port: found 0"):
        load_pushed(path, LoadBalancerConfig, wrong, lay)
    assert load_pushed(path, LoadBalancerConfig, Pushed(), lay) == load(path, LoadBalancerConfig)


def test_what_is_refused_names_version_and_key(tmp_path: Path) -> None:
    def refuse(*_: object) -> dict[str, Any]:
        raise OverlayRefused("is not pushed", "server.bind_port")

    path = tmp_path / "load_balancer.yaml"
    path.write_text("{}", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"pushed version 7: server\.bind_port: is not pushed"):
        load_pushed(path, LoadBalancerConfig, Pushed(7, {"server": {"bind_port": 1}}), refuse)


def test_an_unknown_key_is_never_printed_raw(tmp_path: Path) -> None:
    path = tmp_path / "load_balancer.yaml"
    path.write_text('"a\\x1b[2J\\nERROR fake": 1', encoding="utf-8")
    with pytest.raises(ConfigError) as raised:
        load(path, LoadBalancerConfig)
    assert str(raised.value).isprintable()
    assert r"a\x1b[2J\nERROR fake: unknown key" in str(raised.value)
