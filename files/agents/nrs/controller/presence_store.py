"""The contacts with devices on disk, where a restart finds them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import islice

from pydantic import ValidationError
from sqlalchemy import bindparam, select, update
from sqlalchemy.exc import SQLAlchemyError

from nrs.api.messages import DeviceStatus
from nrs.controller.database import Database, reason
from nrs.controller.models import Device
from nrs.controller.presence import Seen

_ROWS_AT_ONCE = 1000


def load(database: Database) -> dict[str, Seen]:
    """The last contact with each registered device. Raises SQLAlchemyError."""
    with database.reading() as session:
        rows = session.execute(select(Device.device_id, Device.last_seen, Device.last_status)).all()
    return {device_id: Seen(at, _status(status)) for device_id, at, status in rows}


def store(database: Database, changes: Mapping[str, Seen]) -> tuple[dict[str, Seen], str | None]:
    """Write `changes`; returns what could not be, for another time, and why."""
    pending = iter(changes.items())
    while batch := list(islice(pending, _ROWS_AT_ONCE)):
        try:
            _write(database, batch)
        except SQLAlchemyError as error:
            return dict([*batch, *pending]), reason(error)
    return {}, None


def _write(database: Database, batch: Sequence[tuple[str, Seen]]) -> None:
    """Of a device that was removed meanwhile, nothing."""
    with database.writing() as session:
        session.connection().execute(
            update(Device).where(Device.device_id == bindparam("of")),
            [
                {
                    "of": device_id,
                    "last_seen": seen.at,
                    "last_status": seen.status.model_dump_json() if seen.status else None,
                }
                for device_id, seen in batch
            ],
        )


def _status(stored: str | None) -> DeviceStatus | None:
    """A status from the database; one in the form of another release is as good as none."""
    try:
        return DeviceStatus.model_validate_json(stored) if stored else None
    except ValidationError:
        return None
