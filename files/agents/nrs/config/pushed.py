"""Configuration that the controller has pushed: merged over the agent's own file.

It is kept in the agent's state directory, so that a restart needs no controller.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from nrs.config import kept
from nrs.config.loader import ConfigError, build, read_mapping

Model = TypeVar("Model", bound=BaseModel)

FILE_NAME = "pushed.json"


@dataclass(frozen=True)
class Pushed:
    """A version of the pushed configuration; version 0 is none at all."""

    version: int = 0
    config: dict[str, Any] = field(default_factory=dict)


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


def load_merged(path: Path, model: type[Model], pushed: Pushed) -> Model:
    """The file at `path` with `pushed` over it. Raises ConfigError."""
    source = f"{path} with pushed version {pushed.version}" if pushed.version else str(path)
    return build(merge(read_mapping(path), pushed.config), model, source)


def state_directory(unit: str) -> Path | None:
    """Where the unit keeps state: systemd's, or beside the control socket of a foreground run."""
    for variable in ("STATE_DIRECTORY", "NRS_RUNTIME_DIRECTORY"):
        text = os.environ.get(variable)
        if text:
            return Path(text.partition(":")[0])
    directory = Path("/var/lib/network-routing-system") / unit
    return directory if directory.is_dir() else None


def read(directory: Path | None) -> Pushed:
    """What was stored last; none where nothing was. Raises ConfigError for a damaged file."""
    if directory is None:
        return Pushed()
    path = directory / FILE_NAME
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        return Pushed(version=int(data["version"]), config=dict(data["config"]))
    except FileNotFoundError:
        return Pushed()
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"{path}: not a stored configuration: {error}") from None


def write(directory: Path | None, pushed: Pushed) -> None:
    """Store `pushed` so that a crash leaves the old or the new one. Raises OSError."""
    if directory is None:
        return
    text = json.dumps({"version": pushed.version, "config": pushed.config})
    kept.write(directory / FILE_NAME, text)
