"""What a role does without a variable, and what its argument specification says of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

ROLES = Path(__file__).resolve().parents[2] / "roles"


def _stated(role: Path) -> dict[str, Any]:
    """The defaults that the specification has, of every entry point."""
    specs = yaml.safe_load((role / "meta" / "argument_specs.yml").read_text())["argument_specs"]
    options = [option for spec in specs.values() for option in spec.get("options", {}).items()]
    return {name: option["default"] for name, option in options if "default" in option}


@pytest.mark.parametrize("role", sorted(ROLES.iterdir()), ids=lambda role: role.name)
def test_defaults_are_those_of_the_specification(role: Path) -> None:
    defaults = yaml.safe_load((role / "defaults" / "main.yml").read_text())
    stated = _stated(role)
    assert defaults and sorted(defaults) == sorted(stated)
    # As text, for true is 1 otherwise.
    assert [name for name in stated if repr(stated[name]) != repr(defaults[name])] == []
