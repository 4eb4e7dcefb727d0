"""The list of revocations that a service has in force, and keeps over a restart."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from nrs.identity import whole_file
from nrs.identity.revocations import Revocations, RevocationsRefused, read

_MODE = 0o640


class RevocationFile:
    """The list in a file; none there is the list number 0. Safe for threads."""

    def __init__(self, path: Path, public_keys: Iterable[Ed25519PublicKey]) -> None:
        """Read the file. Raises RevocationsRefused, which names it, where it is damaged."""
        self._path, self._keys = path, tuple(public_keys)
        self._lock = threading.Lock()
        self._text, self._in_force = self._read()
        self._is_kept = True

    @property
    def in_force(self) -> Revocations:
        """The newest list that was taken."""
        return self._in_force

    @property
    def text(self) -> str | None:
        """That list as it was signed, for others that ask; None before the first."""
        return self._text

    def take(self, text: str) -> bool:
        """Keep a list and put it in force; whether it is newer than the one before.

        Raises RevocationsRefused, and OSError where the file cannot be written: the list is in
        force all the same, and taking it once more tries to write again.
        """
        received = read(text, self._keys)
        with self._lock:
            is_newer = received.newer(self._in_force)
            if is_newer:
                self._text, self._in_force, self._is_kept = text, received, False
            if not self._is_kept:
                whole_file.replace(self._path, text + "\n", _MODE)
                self._is_kept = True
        return is_newer

    def _read(self) -> tuple[str | None, Revocations]:
        try:
            text = self._path.read_text(encoding="ascii").strip()
            return text, read(text, self._keys)
        except FileNotFoundError:
            return None, Revocations()
        except UnicodeDecodeError:
            raise RevocationsRefused(f"{self._path}: damaged: not ASCII text") from None
        except OSError as error:
            raise RevocationsRefused(f"{self._path}: {error.strerror}") from None
        except RevocationsRefused as error:
            raise RevocationsRefused(
                f"{self._path}: {error}; put the list of the control node in its place"
            ) from None
