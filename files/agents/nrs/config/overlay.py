"""What may be pushed over a device's file: these keys and nothing else, ever. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Path = tuple[str, ...]

PUSHABLE: Mapping[str, frozenset[Path]] = {
    "network_access_endpoint": frozenset(
        {
            ("endpoint", "log_level"),
            ("load_balancer", "poll_interval"),
            ("load_balancer", "use"),
            ("routers",),
            ("tunnel", "keepalive_interval"),
            ("tunnel", "routes"),
        }
    ),
    "routing_server": frozenset({("server", "log_level")}),
}
"""The keys, by unit; what stands below one belongs to it."""


class OverlayRefused(Exception):
    """What must not be pushed, and the path of the key, fit to be printed."""

    def __init__(self, message: str, field: str) -> None:
        super().__init__(message)
        self.field = field


def check(pushed: Mapping[str, Any], unit: str) -> None:
    """Raise OverlayRefused for the first key that may not be pushed to a device of this kind."""
    allowed = PUSHABLE.get(unit, frozenset())
    for path, value in _keys(pushed, ()):
        if any(not key.isprintable() for key in path):
            raise OverlayRefused("a key must not hold control characters", shown(path))
        if not any(path[: len(key)] == key for key in allowed):
            if not any(key[: len(path)] == path for key in allowed):
                may = ", ".join(sorted(map(shown, allowed))) or "nothing"
                raise OverlayRefused(f"is not pushed; what is: {may}", shown(path))
            if not isinstance(value, Mapping):
                raise OverlayRefused("must be a mapping of keys to values", shown(path))


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with the keys of `over`; mappings are merged, everything else is replaced."""
    result = dict(base)
    for key, value in over.items():
        present = result.get(key)
        if isinstance(present, Mapping) and isinstance(value, Mapping):
            result[key] = merge(present, value)
        else:
            result[key] = value
    return result


def shown(path: Path) -> str:
    """A key's path without a character that a terminal or a log would obey."""
    return ".".join(
        "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in key)
        for key in path
    )


def _keys(value: Any, path: Path) -> Iterator[tuple[Path, Any]]:
    """Every key in `value` with what it holds, however deep; sections before their keys."""
    named = value.items() if isinstance(value, Mapping) else ()
    numbered = enumerate(value) if isinstance(value, list) else ()
    for key, child in (*named, *numbered):
        yield (*path, str(key)), child
        yield from _keys(child, (*path, str(key)))
