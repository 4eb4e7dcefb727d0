"""The events that devices post: the last of each are kept."""

from __future__ import annotations

import json
import threading
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from nrs.api.messages import EventReport, SwitchEvent
from nrs.controller import removals
from nrs.controller.database import Database
from nrs.controller.models import Device, Event

MOST_KEPT = 1000
"""Of each device."""


class Events:
    """What happened at the devices. Safe to use from any thread."""

    def __init__(self, database: Database) -> None:
        self._database = database
        # A router that fails makes all of its endpoints post at once: they are to wait for each
        # other here, not in the database, where registrations would wait among them.
        self._recording = threading.Lock()

    def record(self, report: EventReport) -> int:
        """Keep what is not known yet; how many that were. Raises UnknownDevice, DeviceRemoved.

        It is on disk at the return, all of it or none.
        """
        with self._recording, self._database.writing() as session:
            _expect(session, report.device_id)
            new = _unknown(session, report)
            session.add_all(
                Event(
                    device_id=report.device_id,
                    number=event.number,
                    at=event.when,
                    content=event.model_dump_json(),
                )
                for event in new
            )
            session.flush()
            _forget_oldest(session, report.device_id)
        return len(new)

    def last(self, limit: int, device_id: str | None = None) -> list[dict[str, Any]]:
        """The `limit` that arrived last, oldest first, of a device or of all.

        Raises UnknownDevice, DeviceRemoved.
        """
        query = select(Event.device_id, Event.content).order_by(Event.id.desc()).limit(limit)
        with self._database.reading() as session:
            if device_id is not None:
                _expect(session, device_id)
                query = query.where(Event.device_id == device_id)
            rows = session.execute(query).all()
        return [{"device_id": owner, **json.loads(content)} for owner, content in reversed(rows)]


def _expect(session: Session, device_id: str) -> None:
    if session.scalar(select(Device.device_id).where(Device.device_id == device_id)) is None:
        raise removals.absence(session, device_id)


def _unknown(session: Session, report: EventReport) -> list[SwitchEvent]:
    """The events of `report` that are not stored, each once."""
    numbers = [event.number for event in report.events]
    rows = session.execute(
        select(Event.number, Event.at).where(
            Event.device_id == report.device_id, Event.number.in_(numbers)
        )
    )
    known = {(number, at) for number, at in rows}
    found = {(event.number, event.when): event for event in report.events}
    return [event for key, event in found.items() if key not in known]


def _forget_oldest(session: Session, device_id: str) -> None:
    own = select(Event.id).where(Event.device_id == device_id).order_by(Event.id.desc())
    newest_to_forget = own.offset(MOST_KEPT).limit(1).scalar_subquery()
    session.execute(
        delete(Event).where(Event.device_id == device_id, Event.id <= newest_to_forget),
        execution_options={"synchronize_session": False},
    )
