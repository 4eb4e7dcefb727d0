"""The SQLite file behind the registry, and its transactions."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, create_engine, event, inspect, make_url, select, text
from sqlalchemy.exc import DatabaseError, IntegrityError, OperationalError, SQLAlchemyError
from sqlalchemy.orm import Session

from nrs.controller.models import Base, Device, RemovedDevice
from nrs.identity import whole_file

DEFAULT_DIRECTORY = Path("/var/lib/network-routing-system/network_controller")
_FILE_NAME = "registry.sqlite3"
_MARK = ".begun"
"""Of a file beside the database that says that it has had devices."""
_LOCK_TIMEOUT_S = 10.0


def reason(error: SQLAlchemyError) -> str:
    """What the database says, in a line, without the statement."""
    return str(getattr(error, "orig", None) or error).partition("\n")[0]


class StorageError(Exception):
    """The database cannot be opened; the text names it and says why."""


def default_url() -> str:
    """A file in systemd's state directory for the unit, or where that would be."""
    directory = os.environ.get("STATE_DIRECTORY", "").partition(":")[0] or str(DEFAULT_DIRECTORY)
    return f"sqlite:///{Path(directory).absolute() / _FILE_NAME}"


class Database:
    """Transactions on the database at `url`. Raises StorageError."""

    def __init__(self, url: str) -> None:
        path = Path(make_url(url).database or "")
        self._mark = path.with_name(f"{path.name}{_MARK}") if path.name else None
        if self._is_marked and not path.exists():
            raise StorageError(_lost(path, "it is gone"))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StorageError(f"cannot create {path.parent}: {error.strerror}") from None
        self.unstored: str | None = None
        """Why the last transaction that writes failed; None where it did not."""
        self._engine = create_engine(url, connect_args={"timeout": _LOCK_TIMEOUT_S})
        event.listen(self._engine, "connect", _prepare)
        event.listen(self._engine, "begin", _begin)
        self._writing = self._engine.execution_options(writes=True)
        try:
            if (wrong := self._damage()) is not None:
                raise StorageError(_lost(path, wrong))
            Base.metadata.create_all(self._writing)
            with self._writing.begin() as connection:
                _add_columns(connection)
                _allow_one_family(connection)
        except OperationalError as error:
            self._engine.dispose()
            raise StorageError(f"cannot use {path}: {error.orig}") from None
        except DatabaseError as error:
            self._engine.dispose()
            raise StorageError(_lost(path, str(error.orig))) from None
        except StorageError:
            self._engine.dispose()
            raise

    @contextlib.contextmanager
    def reading(self) -> Iterator[Session]:
        """One consistent view of the data; writers are neither awaited nor held up."""
        with Session(self._engine) as session, session.begin():
            yield session

    @contextlib.contextmanager
    def writing(self) -> Iterator[Session]:
        """One transaction, alone among writers: all of it is on disk at the end, or none."""
        try:
            with Session(self._writing, expire_on_commit=False) as session, session.begin():
                yield session
        except IntegrityError:
            raise
        except DatabaseError as error:
            self.unstored = f"the registry is not stored: {reason(error)}"
            raise

    def try_writing(self) -> None:
        """See whether it can be written again where it could not."""
        if self.unstored is None:
            return
        with contextlib.suppress(DatabaseError):
            with self.writing() as session:
                # A page has to be written; the number says nothing to anybody.
                session.execute(text("PRAGMA user_version = 1"))
            self.unstored = None

    def mark(self) -> None:
        """Note for later starts that there are devices. Raises OSError."""
        if self._mark is not None and not self._is_marked:
            whole_file.replace(self._mark, "")

    @property
    def _is_marked(self) -> bool:
        return self._mark is not None and self._mark.exists()

    def _damage(self) -> str | None:
        """Why this is not the registry that there was, if it is not."""
        with self._engine.connect() as connection:
            found = connection.exec_driver_sql("PRAGMA quick_check(1)").scalar()
            if found != "ok":
                return str(found).partition("\n")[0]
            if not self._is_marked:
                return None
            inspector = inspect(connection)
            if not inspector.has_table(Device.__tablename__):
                return "it is empty, and there were devices"
            # One that was removed was a device; earlier releases have no table of these.
            tables = [
                one for one in (Device, RemovedDevice) if inspector.has_table(one.__tablename__)
            ]
            rows = [connection.execute(select(one.device_id).limit(1)).first() for one in tables]
            return None if any(rows) else "it has no devices, and there were some"

    def close(self) -> None:
        """Close every connection that is not in use."""
        self._engine.dispose()


def _lost(path: Path, why: str) -> str:
    return (
        f"cannot use {path}: {why}; put a copy of it in its place, without {path.name}-wal and"
        f" {path.name}-shm, or begin without devices and pushed configuration: move {path}* away"
    )


def _prepare(connection: Any, _record: object) -> None:
    # The driver would otherwise begin transactions by itself, and too late: a
    # transaction that reads before it writes must hold the write lock from its start.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode = WAL")
    # A registration that was answered must not be lost with the power.
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.close()


def _add_columns(connection: Connection) -> None:
    """Those that the table of an earlier release has not; each may be without a value."""
    table = Base.metadata.tables["devices"]
    present = {row[1] for row in connection.exec_driver_sql("PRAGMA table_info(devices)")}
    for column in table.columns:
        if column.name not in present:
            kind = column.type.compile(connection.dialect)
            connection.exec_driver_sql(f"ALTER TABLE devices ADD COLUMN {column.name} {kind}")


def _allow_one_family(connection: Connection) -> None:
    """Let a device be without an address of one family, in the table of an earlier release.

    SQLite cannot change a column: the table is made anew (its own documentation, "Making Other
    Kinds Of Table Schema Changes").
    """
    table = Base.metadata.tables["devices"]
    rows = connection.exec_driver_sql("PRAGMA table_info(devices)").all()
    if not any(row[1] in {"tun_ipv4", "tun_ipv6"} and row[3] for row in rows):
        return
    names = ", ".join(column.name for column in table.columns)
    connection.exec_driver_sql("ALTER TABLE devices RENAME TO devices_before")
    table.create(connection)
    connection.exec_driver_sql(
        f"INSERT INTO devices ({names}) SELECT {names} FROM devices_before"  # noqa: S608 - ours  # nosec B608
    )
    connection.exec_driver_sql("DROP TABLE devices_before")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
