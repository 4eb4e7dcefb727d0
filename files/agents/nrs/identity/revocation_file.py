"""The list of revocations that a service or device has in force, and keeps over a restart."""

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

    def __init__(self, path: Path | None, public_keys: Iterable[Ed25519PublicKey]) -> None:
        """Read the file; without one the list is kept in memory alone.

        Raises RevocationsRefused, which names it, where it is damaged.
        """
        self._path, self._keys = path, tuple(public_keys)
        self._lock = threading.Lock()
        self._text, self._in_force = self._read()
        self.unstored: str | None = None
        """Why a restart would not know the list; None where it would."""

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
        force all the same, and taking it once more, as `store`, tries to write again.
        """
        received = read(text, self._keys)
        with self._lock:
            is_newer = received.newer(self._in_force)
            if is_newer:
                self._text, self._in_force = text, received
            if is_newer or self.unstored is not None:
                self._store()
        return is_newer

    def believe(self, public_keys: Iterable[Ed25519PublicKey]) -> None:
        """Take lists that one of these keys has signed from now on; the one in force stays."""
        self._keys = tuple(public_keys)

    def store(self) -> None:
        """Write a list that could not be written before. Raises OSError."""
        with self._lock:
            if self.unstored is not None:
                self._store()

    def _store(self) -> None:
        if self._path is None:
            return
        try:
            whole_file.replace(self._path, f"{self._text}\n", _MODE)
        except OSError as error:
            self.unstored = f"the list of revocations is not stored: {error.strerror}"
            raise
        self.unstored = None

    def _read(self) -> tuple[str | None, Revocations]:
        if self._path is None:
            return None, Revocations()
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
