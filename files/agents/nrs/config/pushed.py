"""Keeps what the controller has pushed in the agent's state directory.

So a restart needs no controller.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

from nrs.config.loader import ConfigError, Pushed
from nrs.identity import whole_file

FILE_NAME = "pushed.json"


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
    whole_file.replace(directory / FILE_NAME, text)
