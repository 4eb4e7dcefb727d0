"""What the files of a configuration held when they were read: its own, and those that it names."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from nrs.config.loader import read_mapping

Held = Mapping[Path, str | None]
"""A digest by file; None for one that could not be read."""
_NAMES_A_FILE = "_file"
_WRITTEN = {"log_file", "record_file"}
"""Keys that name what an agent writes."""


class NotingReader:
    """Reads as `read` does, and notes in `held` what the file and each that it names holds.

    Beforehand: what changes meanwhile counts as changed.
    """

    def __init__(self, read: Callable[[Path], dict[str, Any]] = read_mapping) -> None:
        self._read = read
        self.held: Held = {}

    def __call__(self, path: Path) -> dict[str, Any]:
        """The file's content. Raises ConfigError."""
        own = {path: _digest(path)}
        data = self._read(path)
        self.held = own | {named: _digest(named) for named in named_in(data)}
        return data


def named_in(data: Any) -> Iterator[Path]:
    """The files that keys such as `psk_file` name, wherever in a configuration they stand."""
    inside = data if isinstance(data, list) else []
    if isinstance(data, dict):
        inside = list(data.values())
        for key, value in data.items():
            if key.endswith(_NAMES_A_FILE) and key not in _WRITTEN and isinstance(value, str):
                yield Path(value)
    for part in inside:
        yield from named_in(part)


def changed(held: Held) -> list[Path]:
    """Those that hold something else by now."""
    return [path for path, digest in held.items() if _digest(path) != digest]


def _digest(path: Path) -> str | None:
    try:
        return hashlib.sha256(path.read_bytes()).hexdigest()
    except OSError:
        return None
