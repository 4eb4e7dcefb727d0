"""Logging: the journal (standard error) and, where configured, a rotated file."""

from __future__ import annotations

import logging
import logging.handlers
import os
import sys
from pathlib import Path

_FILE_BYTES = 10 * 1024 * 1024
_FILES_KEPT = 5
_PLAIN = logging.Formatter("%(levelname)s %(name)s: %(message)s")


class _ForJournal(logging.Formatter):
    """States the priority as the journal reads it from a line's start (sd-daemon(3))."""

    _PRIORITIES = ((logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))

    def __init__(self) -> None:
        super().__init__("%(name)s: %(message)s")

    def format(self, record: logging.LogRecord) -> str:
        priority = next((p for least, p in self._PRIORITIES if record.levelno >= least), 7)
        return "\n".join(f"<{priority}>{line}" for line in super().format(record).splitlines())


def configure(log_file: Path | None, *, level: int = logging.INFO) -> None:
    """Send records to standard error and to `log_file`; replaces an earlier set-up.

    Raises OSError when the file cannot be opened.
    """
    handlers: list[logging.Handler] = [logging.StreamHandler(sys.stderr)]
    handlers[0].setFormatter(_ForJournal() if "JOURNAL_STREAM" in os.environ else _PLAIN)
    if log_file is not None:
        log_file.parent.mkdir(parents=True, exist_ok=True)
        to_file = logging.handlers.RotatingFileHandler(
            log_file, maxBytes=_FILE_BYTES, backupCount=_FILES_KEPT, encoding="utf-8"
        )
        to_file.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
        handlers.append(to_file)
    root = logging.getLogger()
    for old in list(root.handlers):
        root.removeHandler(old)
        old.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)
    # Its retries are reported by the agents, once, as what they mean.
    logging.getLogger("urllib3.connectionpool").setLevel(logging.ERROR)
