"""The configuration that is pushed to a device: what it may hold, and its stored form."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

_SECRETS = frozenset(
    {"default_psk"}
    | {
        key + ending
        for key in ("psk", "previous_psk", "device_key", "token")
        for ending in ("", "_file")
    }
)
_KEY_CHOICE = frozenset({"key_modes", "key_epoch"})
_BEHIND = frozenset({"advertise", "endpoint_prefixes"})
_IDENTITY = frozenset({"config.server.server_id", "config.endpoint.endpoint_id"})


class OverlayRefused(Exception):
    """What must not be pushed, and the path of the key."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


def check(config: Mapping[str, Any]) -> None:
    """Raise OverlayRefused for a secret, a device's identity or the networks behind one.

    Secrets travel in files of their own; whoever holds the API's token must not
    be able to read them here or to replace them.
    """
    for field, key in _keys(config, "config"):
        if key.lower() in _SECRETS:
            raise OverlayRefused("secrets are not pushed; they belong in a file on the host", field)
        if key.lower() in _KEY_CHOICE:
            raise OverlayRefused("which keys are accepted is said in a file on the host", field)
        if key.lower() in _BEHIND:
            raise OverlayRefused("what is behind endpoints is said in a file on the host", field)
        if field in _IDENTITY:
            raise OverlayRefused("a device's identity cannot be changed by a push", field)


def canonical(config: Mapping[str, Any]) -> str:
    """The JSON text that is equal for equal configurations, and only for them."""
    return json.dumps(config, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _keys(value: Any, path: str) -> Iterator[tuple[str, str]]:
    """The path and name of every key in `value`, however deep."""
    if isinstance(value, Mapping):
        for key, child in value.items():
            yield f"{path}.{key}", key
            yield from _keys(child, f"{path}.{key}")
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _keys(child, f"{path}.{index}")
