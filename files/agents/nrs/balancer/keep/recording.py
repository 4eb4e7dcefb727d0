"""What reached a load balancer, for `nrs simulate --replay`: a file of JSON lines.

A line is the body of one `POST /metrics`, which came in when its `timestamp` says. Or it is a
decision, so that a replay knows who asked when, and what was answered:

    {"endpoint_id": "endpoint_1", "timestamp": 1795436298.4, "candidates": ["router_1", "router_2"],
     "current": "router_1", "router_id": "router_2", "mbps": 12.5}

`candidates`, `current` and `mbps` may be null or missing.
"""

from __future__ import annotations

import json
import logging
import threading
from collections import deque
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Annotated, Any, TextIO

from pydantic import Field, ValidationError

from nrs.api.messages import Message, MetricsReport, Rate, Timestamp
from nrs.config.types import Name

log = logging.getLogger(__name__)

MOST_BYTES = 2**30
MOST_WAITING = 200_000
"""Lines that a disk may be behind."""
_BUFFER = 2**18


class RecordingDamaged(Exception):
    """A line that is neither; the text names its number, the field and what is wrong."""


class Asked(Message):
    """A decision: who asked, with what, and which router was answered."""

    endpoint_id: Name
    timestamp: Timestamp
    router_id: Name
    candidates: Annotated[list[Name], Field(min_length=1, max_length=64)] | None = None
    current: Name | None = None
    mbps: Rate | None = None


Recorded = MetricsReport | Asked


def write(file: TextIO, line: Recorded) -> None:
    """Append a line to `file`."""
    file.write(line.model_dump_json(exclude_defaults=True) + "\n")


class Recorder:
    """Appends lines to one file, up to MOST_BYTES; a file that fails ends the recording.

    Any thread may `note`, which touches no file: it is written by `flush`. What fails is logged
    once and disturbs nobody.
    """

    def __init__(self, path: Path | None) -> None:
        """None records nothing."""
        self.path = path
        self._waiting: deque[Recorded] = deque()
        self._lost = 0
        self._writing = threading.Lock()
        self._file: TextIO | None = None
        if path is None:
            return
        try:
            self._file = path.open("a", buffering=_BUFFER, encoding="utf-8")
        except OSError as error:
            log.error("%s: nothing is recorded: %s", path, error.strerror)

    @property
    def recording(self) -> bool:
        """Whether lines are taken."""
        return self._file is not None

    def note(self, line: Recorded) -> None:
        """Take a line."""
        if self._file is None:
            return
        if len(self._waiting) < MOST_WAITING:
            self._waiting.append(line)
        else:
            self._lost += 1

    def flush(self) -> None:
        """Bring what was taken to the file; call about once a second."""
        with self._writing:
            if self._file is not None:
                self._write(self._file)

    def close(self) -> None:
        """Write what was taken; nothing more is recorded."""
        with self._writing:
            if self._file is not None:
                self._write(self._file)
            self._end()

    def _write(self, file: TextIO) -> None:
        lost, self._lost = self._lost, 0
        if lost:
            log.warning("%s: %d lines are lost, its disk is too slow", self.path, lost)
        try:
            for _ in range(len(self._waiting)):
                write(file, self._waiting.popleft())
            file.flush()
            if file.tell() >= MOST_BYTES:
                self._end(f"it has {MOST_BYTES >> 20} MiB")
        except OSError as error:
            self._end(error.strerror or "it failed")

    def _end(self, why: str | None = None) -> None:
        file, self._file = self._file, None
        self._waiting.clear()
        if why is not None:
            log.error("%s: the recording ends: %s", self.path, why)
        if file is not None:
            try:
                file.close()
            except OSError as error:
                log.error("%s: the end of the recording is lost: %s", self.path, error.strerror)


def read(lines: Iterable[str], name: str) -> list[Recorded]:
    """What was recorded in the file `name`, in the order of time. Raises RecordingDamaged."""
    found = list(_parse(lines, name))
    if not any(isinstance(line, MetricsReport) for line in found):
        raise RecordingDamaged(f"{name}: holds no metrics")
    return sorted(found, key=lambda line: line.timestamp)


def _parse(lines: Iterable[str], name: str) -> Iterator[Recorded]:
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        where = f"{name}, line {number}"
        try:
            data: Any = json.loads(text)
        except ValueError as error:
            raise RecordingDamaged(f"{where}: not JSON: {error}") from None
        kind = Asked if isinstance(data, dict) and "endpoint_id" in data else MetricsReport
        try:
            yield kind.model_validate(data)
        except ValidationError as error:
            first = error.errors(include_url=False)[0]
            field = ".".join(map(str, first["loc"]))
            raise RecordingDamaged(f"{where}: {field or 'the line'}: {first['msg']}") from None
