# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Filter: variables that were meant for a role, and that no role knows.

A role knows what its `meta/argument_specs.yml` and `defaults/main.yml` name. Those names begin with
the role's own, those of `common` with `nrs_`:

    routing_server_egres_interface      begins as a role's do, and no role knows it
    routing_servers_endpoint_networks   the role knows the end, and the beginning is nearly its name
    _routing_server_faults              private, not looked at
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from difflib import SequenceMatcher, get_close_matches
from pathlib import Path
from typing import Any

import yaml
from ansible.errors import AnsibleFilterError

# One letter too many, too few or exchanged in a name of ten or more.
_NEARLY = 0.92


def unknown_variables(names: Iterable[str], role_path: str) -> list[str]:
    """`NAME (nearest: KNOWN)` for each of `names`, sorted; values are never asked for.

    `role_path` is the directory of any of the roles. Raises AnsibleFilterError where no role is.
    """
    known = _known_by_prefix(Path(str(role_path)).resolve().parent)
    everything = [name for of_role in known.values() for name in of_role]
    found = {str(name): _nearest(str(name), known) for name in set(names).difference(everything)}
    return [f"{name} (nearest: {near})" for name, near in sorted(found.items()) if near]


def _nearest(name: str, known: Mapping[str, Iterable[str]]) -> str:
    """The known name that `name` was probably meant to be; empty where it was meant for no role."""
    for prefix, of_role in known.items():
        if name.startswith(prefix):
            return get_close_matches(name, of_role, n=1, cutoff=0)[0]
    for prefix, of_role in known.items():
        for candidate in of_role:
            end = candidate.removeprefix(prefix)
            if name.endswith(f"_{end}") and _alike(name.removesuffix(end), prefix):
                return candidate
    return ""


def _alike(beginning: str, prefix: str) -> bool:
    return SequenceMatcher(None, beginning, prefix).ratio() >= _NEARLY


def _known_by_prefix(roles: Path) -> dict[str, set[str]]:
    known: dict[str, set[str]] = {}
    for specs in sorted(roles.glob("*/meta/argument_specs.yml")):
        role = specs.parent.parent
        names = {
            name
            for entry_point in _mapping(specs)["argument_specs"].values()
            for name in entry_point.get("options", ())
        }
        prefix = "nrs_" if role.name == "common" else f"{role.name}_"
        known[prefix] = names.union(_mapping(role / "defaults" / "main.yml"))
    if not known:
        raise AnsibleFilterError(f"there are no roles with argument specifications in {roles}")
    return known


def _mapping(path: Path) -> dict[str, Any]:
    """What a YAML file of a role holds; nothing where there is no such file."""
    if not path.is_file():
        return {}
    return yaml.safe_load(path.read_text(encoding="utf-8")) or {}


class FilterModule:
    """The filter of this file."""

    def filters(self) -> dict[str, Callable[..., list[str]]]:
        """Name to function."""
        return {"unknown_variables": unknown_variables}
