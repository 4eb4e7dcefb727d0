"""What a load balancer knows, on disk, so that a restart keeps decisions and holds.

SQLite, because of 100,000 endpoints only a few change in a second: writing all of them anew every
few seconds would take more processor time than the decisions. Each write is one transaction.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from nrs.balancer.decide.snapshot import VERSION, KeptEndpoint

FILE_NAME = "decisions.sqlite3"
_TABLES = (
    "CREATE TABLE IF NOT EXISTS routers (version INTEGER, what TEXT)",
    "CREATE TABLE IF NOT EXISTS endpoints"
    " (endpoint_id TEXT PRIMARY KEY, asked_at REAL, what TEXT) WITHOUT ROWID",
)
_WRITE = "INSERT OR REPLACE INTO endpoints VALUES (?, ?, ?)"


class StoreDamaged(Exception):
    """The file is no store of this release; the text says which and why."""


class Store:
    """One file. May be used by one thread at a time."""

    def __init__(self, path: Path) -> None:
        """Open or begin it. Raises StoreDamaged."""
        self._path = path
        try:
            self._database = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        except sqlite3.Error as error:
            raise StoreDamaged(f"{path}: {error}") from None
        try:
            # A crash of the host may take the last seconds; it never leaves half a write.
            self._database.execute("PRAGMA journal_mode=WAL")
            self._database.execute("PRAGMA synchronous=NORMAL")
            for table in _TABLES:
                self._database.execute(table)
        except sqlite3.Error as error:
            self._database.close()
            raise StoreDamaged(f"{path}: {error}") from None

    def read(self, since: float) -> dict[str, Any] | None:
        """What `Balancer.load` takes, of the endpoints that have asked since; None for nothing.

        Raises StoreDamaged.
        """
        try:
            found = self._database.execute("SELECT version, what FROM routers").fetchone()
            rows = self._database.execute(
                "SELECT endpoint_id, what FROM endpoints WHERE asked_at >= ?", (since,)
            )
            if found is None:
                return None
            if found[0] != VERSION:
                raise StoreDamaged(f"{self._path}: written by another release")
            endpoints = {endpoint_id: json.loads(what) for endpoint_id, what in rows}
            return {**json.loads(found[1]), "endpoints": endpoints}
        except (sqlite3.Error, ValueError, TypeError) as error:
            raise StoreDamaged(f"{self._path}: {error}") from None

    def write(
        self, routers: dict[str, Any], endpoints: Iterable[Mapping[str, KeptEndpoint]]
    ) -> None:
        """Replace what is stored of the routers and of these endpoints. Raises sqlite3.Error."""
        with self._database as database:
            database.execute("BEGIN IMMEDIATE")
            database.execute("DELETE FROM routers")
            database.execute("INSERT INTO routers VALUES (?, ?)", (VERSION, json.dumps(routers)))
            for part in endpoints:
                database.executemany(
                    _WRITE, [(name, kept.asked_at, json.dumps(kept)) for name, kept in part.items()]
                )

    def forget(self, before: float) -> None:
        """Drop the endpoints that have not asked since. Raises sqlite3.Error."""
        self._database.execute("DELETE FROM endpoints WHERE asked_at < ?", (before,))

    def close(self) -> None:
        """No more is written."""
        self._database.close()
