"""Files that are kept: they appear whole, with their mode, or not at all."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

SECRET = 0o600


def create(path: Path, text: str, mode: int = SECRET) -> None:
    """Write a file that is not there. Raises FileExistsError and other OSError."""
    temporary = _written(path, text, mode)
    try:
        os.link(temporary, path)
    finally:
        temporary.unlink()


def replace(path: Path, text: str, mode: int = SECRET) -> None:
    """Put `text` in the place of what the file has held, if any. Raises OSError."""
    temporary = _written(path, text, mode)
    try:
        temporary.replace(path)
    except OSError:
        temporary.unlink()
        raise
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)  # the name, too, outlives a power cut
    finally:
        os.close(directory)


def _written(path: Path, text: str, mode: int) -> Path:
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    temporary = Path(name)
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            os.fchmod(file.fileno(), mode)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
    except OSError:
        temporary.unlink()
        raise
    return temporary
