"""Who is registered, with which addresses and configuration."""

from __future__ import annotations

import json
import logging
import math
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import RowMapping, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from nrs.api.messages import DeviceStatus, Registration
from nrs.config.types import IPAddress
from nrs.controller import presence_store, removals
from nrs.controller.addresses import FIELDS, Addresses
from nrs.controller.canonical import canonical
from nrs.controller.config import NetworkControllerConfig
from nrs.controller.database import Database
from nrs.controller.errors import AddressTaken
from nrs.controller.models import Device
from nrs.controller.presence import Presence, Seen
from nrs.controller.removals import Removal
from nrs.controller.views import Record

_COLUMNS = (
    Device.device_id,
    Device.device_type,
    Device.name,
    Device.tun_ipv4,
    Device.tun_ipv6,
    Device.internal_ip,
    Device.external_ip,
    Device.port,
    Device.ports,
    Device.version,
    Device.registered_at,
    Device.last_seen,
    Device.config_version,
)

log = logging.getLogger(__name__)

_BELIEVED = 2**52
"""Versions that a device says it runs are less: what is pushed after one more of these still has
room in `messages.Version`, whatever a device that was stolen has said."""


@dataclass(frozen=True)
class Registered:
    """What a device is told as it registers."""

    device_id: str
    tun_ipv4: str | None
    tun_ipv6: str | None
    tunnel_port: int
    config_version: int


class Registry:
    """The devices of the deployment. Safe to use from any thread.

    The database is the authority; what is held in memory beside it, the free
    addresses and the latest statuses, can be made again from it.
    """

    def __init__(
        self, database: Database, config: NetworkControllerConfig, clock: Callable[[], float]
    ) -> None:
        self._database = database
        self._clock = clock
        self._registering = threading.Lock()
        self._failing = False
        """Whether statuses could not be stored last."""
        with database.writing() as session:
            removals.enforce(session, clock())
        self.out: tuple[str, ...] = ()
        """The devices that stay out, as `removed` lists them: asked for by every device."""
        self._note_out()
        self.configure(config)
        known = presence_store.load(database)
        self._presence = Presence(known)
        log.info("%d devices are registered", len(known))
        if known:
            self._mark()

    def configure(self, config: NetworkControllerConfig) -> None:
        """Give addresses from these pools from now on; devices keep what they have."""
        with self._registering:
            self._allocation = config.ip_allocation
            self._tunnel_port = config.tunnel.default_port
            with self._database.reading() as session:
                self._load_addresses(session)

    def register(self, request: Registration) -> tuple[Registered, bool]:
        """What the device is told, and whether it is new.

        Raises DeviceRemoved, AddressTaken, AddressInQuarantine, PoolExhausted.
        """
        with self._registering:
            try:
                device, new = self._register(request)
            except IntegrityError:
                # Another process on the same database was quicker with this address. Read
                # inside the transaction, what is free cannot change again before the write.
                device, new = self._register(request, refresh=True)
        self._presence.registered(request.device_id, self._clock())
        if new:
            log.info(
                "device %s (%s) registered with %s and %s",
                device.device_id,
                device.device_type,
                device.tun_ipv4 or "no IPv4",
                device.tun_ipv6 or "no IPv6",
            )
        return self._answer(device), new

    def record_status(self, status: DeviceStatus) -> None:
        """Keep what a device says of itself. Raises UnknownDevice, DeviceRemoved.

        What was pushed before its first status, as after the loss of a registry, is in force by a
        later version than the one that the device runs.
        """
        before = self._presence.get(status.device_id)
        running = _running(status)
        if running and (before is None or before.status is None):
            self._outdo(status.device_id, running)
        if not self._presence.reported(status, self._clock()):
            with self._registering:
                self.device(status.device_id)
                self._presence.registered(status.device_id, self._clock())
                self._presence.reported(status, self._clock())

    def configuration(self, device_id: str) -> tuple[int, dict[str, Any]]:
        """The version and content of what was pushed to a device.

        Raises UnknownDevice, DeviceRemoved.
        """
        with self._database.reading() as session:
            device = _existing(session, device_id)
            return device.config_version, json.loads(device.config)

    def push(self, device_id: str, config: dict[str, Any]) -> tuple[int, bool]:
        """Replace a device's pushed configuration; its version, and whether it differs.

        It differs, too, from a later version that the device runs and this registry does not
        have: another registry, or one that this is an older copy of, has given it out. The first
        push before the first status differs, as nobody knows yet what is run; for that reason,
        too, versions are no earlier than the time.
        Raises UnknownDevice, DeviceRemoved.
        """
        text = canonical(config)
        seen = self._presence.get(device_id)
        said = seen.status if seen else None
        running = _running(said)
        with self._database.writing() as session:
            device = _existing(session, device_id)
            unknown = said is None and not device.config_version
            changed = unknown or device.config != text or running > device.config_version
            if changed:
                device.config = text
                after = max(device.config_version, running) + 1
                device.config_version = max(after, int(self._clock()))
            version = device.config_version
        if changed:
            log.info("device %s: configuration version %d", device_id, version)
        return version, changed

    def device(self, device_id: str) -> Record:
        """One device. Raises UnknownDevice, DeviceRemoved."""
        with self._database.reading() as session:
            row = (
                session.execute(select(*_COLUMNS).where(Device.device_id == device_id))
                .mappings()
                .first()
            )
            if row is None:
                raise removals.absence(session, device_id)
        return self._record(row)

    def devices(self) -> list[Record]:
        """All devices, by name of device."""
        with self._database.reading() as session:
            rows = session.execute(select(*_COLUMNS).order_by(Device.device_id)).mappings().all()
        return [self._record(row) for row in rows]

    def remove(self, device_id: str) -> tuple[Removal, bool]:
        """Have a device stay out, known or not; its removal, and whether that is new."""
        with self._registering:
            with self._database.writing() as session:
                removed, new = removals.remove(session, device_id, self._clock())
            self._presence.forget(device_id)
            self._note_out()
            with self._database.reading() as session:
                self._load_addresses(session)
        if new:
            self._mark()
            log.info("device %s was removed, and stays out", device_id)
        return removals.shown(removed, self._allocation.quarantine), new

    def readmit(self, device_id: str) -> bool:
        """Let a removed device register again; whether it could not. Raises UnknownDevice."""
        with self._database.writing() as session:
            changed = removals.readmit(session, device_id)
        if changed:
            self._note_out()
            log.info("device %s may register again", device_id)
        return changed

    def removed(self) -> list[Removal]:
        """The devices that stay out, by name of device."""
        with self._database.reading() as session:
            quarantine = self._allocation.quarantine
            return [removals.shown(one, quarantine) for one in removals.those_out(session)]

    @property
    def unstored(self) -> str | None:
        """Why the registry could not be written last; None where it could."""
        return self._database.unstored

    def flush(self) -> None:
        """Write the statuses that arrived since the last flush; those that fail come again."""
        self._database.try_writing()
        changes = self._presence.take_changes()
        if not changes:
            return
        self._mark()
        left, why = presence_store.store(self._database, changes)
        self._presence.put_back(left)
        if why is not None and not self._failing:
            log.error("statuses are not stored: %s", why)
        elif why is None and self._failing:
            log.info("statuses are stored again")
        self._failing = why is not None

    def close(self) -> None:
        """Store what is only in memory and close the database."""
        self.flush()
        self._database.close()

    def _note_out(self) -> None:
        with self._database.reading() as session:
            self.out = tuple(one.device_id for one in removals.those_out(session))

    def _outdo(self, device_id: str, running: int) -> None:
        if not 0 < self.configuration(device_id)[0] < running:
            return
        with self._database.writing() as session:
            device = _existing(session, device_id)
            version = device.config_version = max(device.config_version, running + 1)
        log.info("device %s: runs version %d, configuration is %d", device_id, running, version)

    def _mark(self) -> None:
        try:
            self._database.mark()
        except OSError as error:
            log.warning("a start would not notice that the registry is gone: %s", error.strerror)

    def _register(self, request: Registration, *, refresh: bool = False) -> tuple[Device, bool]:
        with self._database.writing() as session:
            now = self._clock()
            if refresh or now >= self._free_at:
                self._load_addresses(session)
            device = session.get(Device, request.device_id)
            new = device is None
            if device is None:
                held = removals.returned(session, request.device_id)
                device = Device(device_id=request.device_id, registered_at=now, last_seen=now)
            else:
                held = {field: getattr(device, field) for field in FIELDS}
            given = {
                "tun_ipv4": self._address(session, "tun_ipv4", request.tun_ipv4, held),
                "tun_ipv6": self._address(session, "tun_ipv6", request.tun_ipv6, held),
            }
            device.tun_ipv4 = given["tun_ipv4"]
            device.tun_ipv6 = given["tun_ipv6"]
            device.device_type = request.device_type
            device.name = request.name
            device.internal_ip = _text(request.internal_ip)
            device.external_ip = _text(request.external_ip)
            device.port = request.port
            device.ports = None if request.ports is None else json.dumps(request.ports)
            device.version = request.version
            session.add(device)
        # Only now is it on disk; a transaction that failed must leave no mark here.
        for field, address in given.items():
            if new or address != held[field]:
                self._addresses.move(field, held[field], address)
        return device, new

    def _address(
        self,
        session: Session,
        field: str,
        stated: IPAddress | None,
        held: Mapping[str, str | None],
    ) -> str | None:
        """The address for `field`: the stated one, else the held one, else the next free one.

        None where the device states that it has none.
        """
        if stated is None:
            return held[field] or self._addresses.next_free(field)
        if stated.is_unspecified:
            return None
        address = str(stated)
        if address != held[field]:
            holder = session.scalar(
                select(Device.device_id).where(getattr(Device, field) == address)
            )
            if holder is not None:
                raise AddressTaken(field, address, holder)
            now, quarantine = self._clock(), self._allocation.quarantine
            removals.check_free(session, field, stated, now, quarantine)
        return address

    def _answer(self, device: Device) -> Registered:
        return Registered(
            device_id=device.device_id,
            tun_ipv4=device.tun_ipv4,
            tun_ipv6=device.tun_ipv6,
            tunnel_port=self._tunnel_port,
            config_version=device.config_version,
        )

    def _load_addresses(self, session: Session) -> None:
        rows = session.execute(select(Device.tun_ipv4, Device.tun_ipv6)).all()
        quarantine = self._allocation.quarantine
        removed = removals.in_quarantine(session, self._clock(), quarantine)
        held = [(row[0], row[1]) for row in rows]
        held += [(one.tun_ipv4, one.tun_ipv6) for one in removed]
        self._addresses = Addresses(self._allocation, held)
        self._free_at = removed[0].removed_at + quarantine if removed else math.inf
        """When some of these are free again."""

    def _record(self, row: RowMapping) -> Record:
        values: dict[str, Any] = dict(row)
        ports, port = values.pop("ports"), values["port"]
        values["ports"] = json.loads(ports) if ports else [] if port is None else [port]
        stored = Seen(values.pop("last_seen"))
        seen = self._presence.get(values["device_id"]) or stored
        return Record(**values, last_seen=seen.at, reported=seen.status)


def _existing(session: Session, device_id: str) -> Device:
    device = session.get(Device, device_id)
    if device is None:
        raise removals.absence(session, device_id)
    return device


def _text(address: IPAddress | None) -> str | None:
    return None if address is None else str(address)


def _running(status: DeviceStatus | None) -> int:
    """The version that a device says it runs; 0 where it says none that there can be."""
    said = status.config_version if status else 0
    return said if said < _BELIEVED else 0
