# Copyright: Contributors to the network routing system
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""A device's configuration as the controller keeps it: merging, and hiding what is secret."""

from __future__ import annotations

import json
from typing import Any

_SECRET = frozenset(
    {
        "psk",
        "previous_psk",
        "default_psk",
        "router_key",
        "previous_router_key",
        "device_key",
        "device_keys",
        "token",
    }
)
_HIDDEN = "VALUE_SPECIFIED_IN_NO_LOG_PARAMETER"


def merged(current: dict[str, Any], wanted: dict[str, Any]) -> dict[str, Any]:
    """`current` with `wanted` laid over it: sections merge, values and lists replace."""
    result = dict(current)
    for key, value in wanted.items():
        below = result.get(key)
        if isinstance(value, dict) and isinstance(below, dict):
            result[key] = merged(below, value)
        else:
            result[key] = value
    return result


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether both are the same JSON: other than in Python, true, 1 and 1.0 differ."""
    return json.dumps(one, sort_keys=True) == json.dumps(other, sort_keys=True)


def secrets(settings: Any) -> list[str]:
    """Every value that must not be shown, wherever it stands."""
    if isinstance(settings, list):
        return [found for item in settings for found in secrets(item)]
    if not isinstance(settings, dict):
        return []
    found = [text for key in _SECRET & settings.keys() for text in _texts(settings[key])]
    return found + [deeper for value in settings.values() for deeper in secrets(value)]


def _texts(value: Any) -> list[str]:
    """Of a secret, such as one key or several by name."""
    if isinstance(value, dict):
        return [text for part in value.values() for text in _texts(part)]
    return [str(value)] if value else []


def shown(settings: Any) -> Any:
    """`settings` with each secret value replaced."""
    if isinstance(settings, list):
        return [shown(item) for item in settings]
    if not isinstance(settings, dict):
        return settings
    return {key: _HIDDEN if key in _SECRET else shown(value) for key, value in settings.items()}
