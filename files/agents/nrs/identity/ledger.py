"""What the control node has issued: a file of JSON lines, without the tokens themselves.

A line states a credential, or that one was revoked. Lines are added and none is ever changed; those
of credentials that have ended long ago are left out of a file that takes its place.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from io import FileIO
from pathlib import Path
from typing import Any

from nrs.identity import whole_file
from nrs.identity.credential import Credential, CredentialRefused, stated

KEPT_S = 30 * 86400.0
"""How long a credential that has ended stays in the ledger, unless it was revoked."""


class LedgerDamaged(Exception):
    """The file cannot be used; the text names it and the line."""


@dataclass(frozen=True)
class Entry:
    """A credential that was issued, and when it was revoked, in seconds since the epoch."""

    credential: Credential
    revoked: float | None = None

    def is_good(self, now: float) -> bool:
        """Whether a service would take it at `now`."""
        end = self.credential.expires
        return self.revoked is None and (end is None or now < end)

    def is_kept(self, now: float) -> bool:
        """Whether it may still be of use at `now`; what was revoked tells what the list says."""
        end = self.credential.expires
        return self.revoked is not None or end is None or now < end + KEPT_S

    def lines(self) -> list[dict[str, Any]]:
        """What the file says of it."""
        issued: dict[str, Any] = {"issued": self.credential.claims()}
        if self.revoked is None:
            return [issued]
        return [issued, {"revoked": self.credential.serial, "at": self.revoked}]


class Ledger:
    """The ledger while its file is locked: see `opened`."""

    def __init__(self, file: FileIO, entries: dict[str, Entry]) -> None:
        self._file, self._entries = file, entries

    @property
    def entries(self) -> list[Entry]:
        """All that was issued, in that order."""
        return list(self._entries.values())

    def add(self, credentials: Iterable[Credential]) -> None:
        """Note credentials, all or none, before anybody gets their tokens. Raises OSError."""
        added = {credential.serial: Entry(credential) for credential in credentials}
        self._append([line for entry in added.values() for line in entry.lines()])
        self._entries |= added

    def revoke(self, entries: Iterable[Entry], now: float) -> None:
        """Note that these are revoked; one that was before stays as it is. Raises OSError."""
        fresh = {e.credential.serial: replace(e, revoked=now) for e in entries if e.revoked is None}
        self._append([entry.lines()[1] for entry in fresh.values()])
        self._entries |= fresh

    def _append(self, lines: list[dict[str, Any]]) -> None:
        left = _text(lines).encode()
        size = self._file.seek(0, os.SEEK_END)
        try:
            while left:
                left = left[self._file.write(left) :]
            os.fsync(self._file.fileno())
        except OSError:
            self._file.truncate(size)
            raise


@contextmanager
def opened(path: Path, now: float | None = None) -> Iterator[Ledger]:
    """The ledger in a file that nobody else writes meanwhile; an empty one where there is none.

    With `now` it forgets credentials that ended long before. Raises LedgerDamaged, and OSError.
    """
    with closing(whole_file.locked(path)) as file:
        entries = _read(file, path)
        kept = [entry for entry in entries.values() if now is None or entry.is_kept(now)]
        if len(kept) == len(entries):
            yield Ledger(file, entries)
            return
        whole_file.replace(path, _text([line for entry in kept for line in entry.lines()]))
    with opened(path) as ledger:
        yield ledger


def _text(lines: Iterable[dict[str, Any]]) -> str:
    return "".join(json.dumps(line) + "\n" for line in lines)


def _read(file: FileIO, path: Path) -> dict[str, Entry]:
    entries: dict[str, Entry] = {}
    for number, line in enumerate(file.read().splitlines(), start=1):
        try:
            said = json.loads(line)
            if "issued" in said:
                credential = stated(said["issued"])
                entries[credential.serial] = Entry(credential)
            else:
                serial = said["revoked"]
                entries[serial] = replace(entries[serial], revoked=float(said["at"]))
        except (ValueError, KeyError, TypeError, CredentialRefused):
            raise LedgerDamaged(f"{path}, line {number}: not a line of the ledger") from None
    return entries
