"""What else outlives the process, beside its descriptors: a small file in the runtime directory.

systemd keeps that directory while a unit is restarted, and removes it when it is stopped.
"""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

log = logging.getLogger(__name__)

FILE_NAME = "notes.json"
FORWARDING = "forwarding turned on"
"""The name of the settings that were turned on, a list of paths."""


class Notes:
    """Values of JSON by name; those of an earlier process until they are written anew."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / FILE_NAME
        self._values: dict[str, Any] = {}
        try:
            values = json.loads(self._path.read_text(encoding="utf-8"))
            self._values = values if isinstance(values, dict) else {}
        except FileNotFoundError:
            pass
        except (OSError, ValueError) as error:
            log.warning("the notes of an earlier run are left out: %s: %s", self._path, error)

    def get(self, name: str) -> Any:
        """The value of `name`, or None."""
        return self._values.get(name)

    def put(self, name: str, value: Any) -> None:
        """Write it down, if it is another value; a failure is logged."""
        if self._values.get(name) == value:
            return
        self._values[name] = value
        temporary = self._path.with_name(f"{FILE_NAME}.new")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            # Not synced: who calls may be a packet loop, and the directory goes with a reboot.
            temporary.write_text(json.dumps(self._values), encoding="utf-8")
            temporary.replace(self._path)
        except OSError as error:
            log.warning("a restart will not know %s: %s: %s", name, self._path, error.strerror)

    def clear(self) -> None:
        """Forget everything: the next process begins anew."""
        self._values = {}
        self._path.unlink(missing_ok=True)
