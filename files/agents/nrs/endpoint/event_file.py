"""The switches in the state directory, so that a restarted endpoint still knows them.

A line of JSON for each. The file is replaced as a whole by a thread of its own: what
a crash leaves is the old one or the new one, and the packet loop never waits for a disk.
"""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path

from nrs.endpoint.events import Switch, SwitchLog
from nrs.identity import whole_file

log = logging.getLogger(__name__)

FILE_NAME = "events.jsonl"
_LARGEST_BYTES = 16 * 1024 * 1024
_PERIOD_S = 1.0
_STOP_TIMEOUT_S = 2.0


def read(directory: Path | None) -> list[Switch]:
    """What is kept in `directory`; damaged lines are left out, with one warning."""
    if directory is None:
        return []
    path = directory / FILE_NAME
    try:
        with path.open("rb") as file:
            lines = file.read(_LARGEST_BYTES).splitlines()
    except FileNotFoundError:
        return []
    except OSError as error:
        log.warning("the events in %s cannot be read: %s", path, error.strerror)
        return []
    switches = [switch for line in lines if (switch := _switch(line)) is not None]
    if len(switches) < len(lines):
        left_out = len(lines) - len(switches)
        log.warning("%d of %d events in %s are damaged and left out", left_out, len(lines), path)
    return switches


def _switch(line: bytes) -> Switch | None:
    try:
        return Switch.from_dict(json.loads(line))
    except (ValueError, RecursionError):
        return None


class EventWriter:
    """Keeps the switches of a log in `directory`, as they are at most `period` seconds later."""

    def __init__(
        self, directory: Path | None, switches: SwitchLog, period: float = _PERIOD_S
    ) -> None:
        self._path = None if directory is None else directory / FILE_NAME
        self._switches = switches
        self._period = period
        self._written = switches.last()
        self._lines: dict[int, tuple[Switch, str]] = {}
        self._failing = False
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="events", daemon=True)

    def start(self) -> None:
        """Begin to write."""
        self._thread.start()

    def stop(self) -> None:
        """Write what has not been written yet, and end."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(_STOP_TIMEOUT_S)

    def _run(self) -> None:
        while not self._stopping.wait(self._period):
            self.save()
        self.save()

    def save(self) -> None:
        """Write the switches if they have changed; failures are logged when they begin and end."""
        switches = self._switches.last()
        if self._path is None or switches == self._written:
            return
        try:
            whole_file.replace(self._path, self._content(switches))
        except OSError as error:
            if not self._failing:
                log.warning("events cannot be kept in %s: %s", self._path, error.strerror)
            self._failing = True
            return
        if self._failing:
            log.info("events are kept in %s again", self._path)
        self._failing = False
        self._written = switches

    def _content(self, switches: list[Switch]) -> str:
        # Encoded one at a time, and only once: encoding a thousand in one call would keep the
        # interpreter from the packet loop for several milliseconds.
        known = self._lines
        self._lines = {}
        for switch in switches:
            before = known.get(switch.number)
            if before is None or before[0] is not switch:
                before = switch, json.dumps(switch.as_dict()) + "\n"
            self._lines[switch.number] = before
        return "".join(line for _, line in self._lines.values())
