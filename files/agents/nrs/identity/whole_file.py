"""Files that are kept: they appear whole, with their mode, or not at all."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from io import FileIO
from pathlib import Path

SECRET = 0o600


def create(path: Path, text: str, mode: int = SECRET) -> None:
    """Write a file that is not there. Raises FileExistsError and other OSError."""
    with _written(path, text, mode) as temporary:
        os.link(temporary, path)
        temporary.unlink()


def replace(path: Path, text: str, mode: int = SECRET) -> None:
    """Put `text` in the place of what the file has held, if any. Raises OSError."""
    with _written(path, text, mode) as temporary:
        temporary.replace(path)
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(directory)  # the name, too, outlives a power cut
    finally:
        os.close(directory)


def locked(path: Path) -> FileIO:
    """The file of that name, made if need be, which nobody else has so until it is closed.

    Raises OSError.
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, SECRET)
        file = FileIO(handle, "r+")
        fcntl.flock(file, fcntl.LOCK_EX)
        # Whoever had it may have replaced or removed it meanwhile.
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                return file
        file.close()


@contextmanager
def _written(path: Path, text: str, mode: int) -> Iterator[Path]:
    """A file beside it that has the text, to be given its name at once.

    Always the same one, so that what a crash has left is written over and not piled up.
    """
    temporary = path.with_name(f".{path.name}.new")
    with closing(locked(temporary)) as file:
        try:
            file.truncate()
            os.fchmod(file.fileno(), mode)
            left = text.encode()
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
            yield temporary
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
