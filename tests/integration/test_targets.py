"""Every plugin with a target, and every target as it ends against the real services."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import yaml
from conftest import COLLECTION, HERE, Played, targets


def _wanted() -> list[str]:
    modules = (COLLECTION / "plugins" / "modules").glob("*.py")
    inventories = (COLLECTION / "plugins" / "inventory").glob("*.py")
    return sorted([*(p.stem for p in modules), *(f"inventory_{p.stem}" for p in inventories)])


def _calls(tasks: list[dict[str, Any]], module: str) -> Iterator[dict[str, Any]]:
    for task in tasks:
        yield from _calls(task.get("block", []), module)
        if f"nrs.network_routing.{module}" in task:
            yield task


def test_every_module_and_inventory_plugin_has_one() -> None:
    assert targets() == _wanted()


@pytest.mark.parametrize("module", [name for name in _wanted() if "inventory_" not in name])
def test_it_runs_the_module_twice_and_in_check_mode(module: str) -> None:
    tasks = yaml.safe_load((HERE / "targets" / module / "tasks" / "main.yml").read_text())
    modes = [call.get("check_mode", False) for call in _calls(tasks, module)]
    assert modes.count(True) >= 1 and modes.count(False) >= 2


@pytest.mark.parametrize("target", targets())
def test_target(played: Played, target: str) -> None:
    assert played.passed.get(target), played.said


def test_nothing_is_warned_of(played: Played) -> None:
    assert "WARNING" not in played.said and "DEPRECATION" not in played.said, played.said
