"""What ARP settings were before an agent has changed them, in a file until they are put back.

So a later process knows it too. The runtime directory, where it is, goes with a reboot as they do.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable
from pathlib import Path

from nrs.identity import whole_file
from nrs.system.arp import ArpSetting
from nrs.system.interface_settings import value_of

log = logging.getLogger(__name__)

FILE_NAME = "arp.json"

Change = Callable[[str, str, int], object]
"""Sets an interface's key to a value; may raise OSError, as where the interface is gone."""


class ArpMemory:
    """Of this process, and of an earlier one that has not put them back."""

    def __init__(self, directory: Path) -> None:
        """What somebody else has changed since an earlier process did is his."""
        self._path = directory / FILE_NAME
        self._before: dict[tuple[str, str], tuple[int, int]] = {}
        """By interface and key: the value before, and ours."""
        try:
            rows = json.loads(self._path.read_text(encoding="utf-8"))
            noted = {(str(name), str(key)): (int(was), int(now)) for name, key, was, now in rows}
            self._before = {at: v for at, v in noted.items() if value_of(*at) == v[1]}
        except FileNotFoundError:
            pass
        except (OSError, ValueError, TypeError) as error:
            log.warning("%s: what ARP settings were before is not known: %s", self._path, error)

    def note(self, settings: Iterable[ArpSetting]) -> None:
        """Before they are changed, the first time."""
        fresh = {}
        for setting in settings:
            value = value_of(setting.interface, setting.key)
            place = setting.interface, setting.key
            if value is not None and place not in self._before:
                fresh[place] = value, setting.least
        if fresh:
            self._before |= fresh
            self._write()

    def restore(self, change: Change, keep: Iterable[ArpSetting] = ()) -> list[str]:
        """Put back all but `keep`; a value that is not ours is somebody else's and stays.

        A line for each that was put back.
        """
        keeping = {(setting.interface, setting.key) for setting in keep}
        gone = [place for place in self._before if place not in keeping]
        said = []
        for place in gone:
            before, ours = self._before.pop(place)
            name, key = place
            if value_of(name, key) != ours:
                continue
            try:
                change(name, key, before)
                said.append(f"{key} of {name} is {before} again")
            except OSError as error:
                log.warning("cannot put %s of %s back: %s", key, name, error.strerror)
        if gone:
            self._write()
        return said

    def _write(self) -> None:
        rows = [[*place, *values] for place, values in self._before.items()]
        try:
            if rows:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                whole_file.replace(self._path, json.dumps(rows))
            else:
                self._path.unlink(missing_ok=True)
        except OSError as error:
            log.warning("a restart will not know ARP settings: %s: %s", self._path, error.strerror)
