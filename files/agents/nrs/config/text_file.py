"""Text that a configuration names a file of: keys, tokens, certificates."""

from __future__ import annotations

from pathlib import Path


def find(path: Path) -> str | None:
    """What the file holds, None where there is none. Raises ValueError that names it."""
    try:
        return path.read_text(encoding="ascii")
    except FileNotFoundError:
        return None
    except OSError as error:
        raise ValueError(f"cannot read {path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise ValueError(f"{path}: is not ASCII text") from None


def read(path: Path) -> str:
    """What the file holds. Raises ValueError that names it."""
    text = find(path)
    if text is None:
        raise ValueError(f"cannot read {path}: No such file or directory")
    return text
