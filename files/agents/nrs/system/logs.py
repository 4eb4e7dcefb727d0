"""Logging: the journal (standard error) and, where configured, a rotated file."""

from __future__ import annotations

import errno
import io
import logging
import logging.handlers
import os
import sys
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

log = logging.getLogger(__name__)

if TYPE_CHECKING:
    _StreamHandler = logging.StreamHandler[TextIO]
else:
    _StreamHandler = logging.StreamHandler  # takes no type before Python 3.11

LEVELS = {
    "debug": logging.DEBUG,
    "info": logging.INFO,
    "warning": logging.WARNING,
    "error": logging.ERROR,
}
_FILE_BYTES = 10 * 1024 * 1024
_FILES_KEPT = 5
_PASSING = {errno.ENOSPC, errno.EDQUOT, errno.EMFILE, errno.ENFILE, errno.EIO}
"""Errors of a disk or a process that is full: no reason not to run."""
_PLAIN = logging.Formatter("%(levelname)s %(name)s: %(message)s")


class _ForJournal(logging.Formatter):
    """States the priority as the journal reads it from a line's start (sd-daemon(3))."""

    _PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))

    def __init__(self) -> None:
        super().__init__("%(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        priority = next((p for least, p in self._PRIORITIES if record.levelno >= least), 7)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())


class _Told(logging.Handler):
    """Says once that it cannot write, and once that it can again; records between are lost."""

    _failing = _failed = False

    def place(self) -> str:
        """What it writes to."""
        return "standard error"

    def emit(self, record: logging.LogRecord) -> None:
        """Write it, if that can be done."""
        self._failed = False
        super().emit(record)
        if self._failing and not self._failed:
            self._failing = False
            log.info("%s can be written again", self.place())

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - logging's name
        """Called by `emit` for what it has caught."""
        error = sys.exc_info()[1]
        if not isinstance(error, OSError):
            super().handleError(record)
            return
        self._failed = True
        if not self._failing:
            self._failing = True
            log.error("%s cannot be written: %s", self.place(), error.strerror)


class _StandardError(_Told, _StreamHandler):
    """One that may be a file on a full disk."""


class _File(_Told, logging.handlers.RotatingFileHandler):
    """Unbuffered: what a full disk did not take is not there to be written later."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            path, maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT, encoding="utf-8", delay=True
        )

    def place(self) -> str:
        return self.baseFilename

    def _open(self) -> io.TextIOWrapper:
        return io.TextIOWrapper(io.FileIO(self.baseFilename, "a"), "utf-8", write_through=True)

    def open(self) -> None:
        """Raises OSError."""
        Path(self.baseFilename).parent.mkdir(parents=True, exist_ok=True)
        self.stream = self._open()


def configure(log_file: Path | None, *, level: int = logging.INFO) -> None:
    """Send records to standard error and to `log_file`; replaces an earlier set-up.

    Raises OSError when the file cannot be opened and that does not pass, as a full disk does.
    """
    handlers: list[logging.Handler] = [_StandardError(sys.stderr)]
    handlers[0].setFormatter(_ForJournal() if "JOURNAL_STREAM" in os.environ else _PLAIN)
    if log_file is not None:
        to_file = _File(log_file)
        try:
            to_file.open()
        except OSError as error:
            if error.errno not in _PASSING:
                raise
        to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        handlers.append(to_file)
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        with suppress(OSError):
            old.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)
    # Its retries are reported by the agents, once, as what they mean.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
