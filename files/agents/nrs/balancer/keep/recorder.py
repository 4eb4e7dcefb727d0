"""Writes what reaches a load balancer to a file, for `nrs simulate --replay`."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import TextIO

from nrs.balancer.keep import recording
from nrs.balancer.keep.recording import Line

log = logging.getLogger(__name__)

MOST_BYTES = 2**30
_BUFFER = 2**18


class Recorder:
    """Appends lines to one file, up to MOST_BYTES; a file that fails ends the recording.

    Not safe for several threads. What fails is logged once and disturbs nobody.
    """

    def __init__(self, path: Path | None) -> None:
        """None records nothing."""
        self.path = path
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

    def note(self, line: Line) -> None:
        """Take a line."""
        if self._file is None:
            return
        try:
            recording.write(self._file, line)
        except OSError as error:
            self._end(error.strerror or "it failed")

    def flush(self) -> None:
        """Bring what was taken to the file; call about once a second."""
        if self._file is None:
            return
        try:
            self._file.flush()
            if self._file.tell() >= MOST_BYTES:
                self._end(f"it has {MOST_BYTES >> 20} MiB")
        except OSError as error:
            self._end(error.strerror or "it failed")

    def close(self) -> None:
        """Nothing more is recorded."""
        file, self._file = self._file, None
        if file is not None:
            try:
                file.close()
            except OSError as error:
                log.error("%s: the end of the recording is lost: %s", self.path, error.strerror)

    def _end(self, why: str) -> None:
        log.error("%s: the recording ends: %s", self.path, why)
        self.close()
