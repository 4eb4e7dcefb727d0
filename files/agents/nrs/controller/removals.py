"""Devices that an operator has removed: they stay out, and nobody has their addresses at first."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from nrs.config.types import IPAddress
from nrs.controller.addresses import FIELDS
from nrs.controller.errors import (
    AddressInQuarantine,
    DeviceRemoved,
    RegistryError,
    UnknownDevice,
)
from nrs.controller.models import Device, Event, RemovedDevice

_LATE_CLOCK_S = 300.0
"""By how much this clock may be ahead of that of the control node, which states when it revokes."""


@dataclass(frozen=True)
class Removal:
    """A device that stays out since `at`, and the addresses that it held.

    Times are seconds since the epoch; `free_at` is None where it held none.
    """

    device_id: str
    at: float
    tun_ipv4: str | None
    tun_ipv6: str | None
    free_at: float | None

    def revoked(self, issued_before: float) -> bool:
        """Whether a list of revocations that has this time for the device ends what it was given.

        No device is given a token while it is removed.
        """
        return issued_before >= self.at - _LATE_CLOCK_S


def remove(session: Session, device_id: str, now: float) -> tuple[RemovedDevice, bool]:
    """Have a device stay out, known or not, with all that is known of it but its addresses.

    Returns its removal, and whether that is new.
    """
    device = session.get(Device, device_id)
    removed = session.get(RemovedDevice, device_id)
    if device is None and removed is not None and not removed.readmitted:
        return removed, False
    if removed is None:
        removed = RemovedDevice(device_id=device_id)
        session.add(removed)
    removed.removed_at, removed.readmitted = now, False
    if device is not None:
        removed.tun_ipv4, removed.tun_ipv6 = device.tun_ipv4, device.tun_ipv6
        session.delete(device)
        session.execute(delete(Event).where(Event.device_id == device_id))
    return removed, True


def enforce(session: Session, now: float) -> None:
    """Have those stay out that an earlier release, which knows none, has let in meanwhile."""
    for device_id in session.scalars(
        select(Device.device_id)
        .join(RemovedDevice, RemovedDevice.device_id == Device.device_id)
        .where(RemovedDevice.readmitted.is_(False))
    ).all():
        remove(session, device_id, now)


def readmit(session: Session, device_id: str) -> bool:
    """Let a device register again; whether it could not. Raises UnknownDevice.

    What it held is noted on, so that nobody else is given it in the meantime.
    """
    removed = session.get(RemovedDevice, device_id)
    if removed is None or removed.readmitted:
        if removed is None and session.get(Device, device_id) is None:
            raise UnknownDevice(device_id)
        return False
    removed.readmitted = True
    return True


def returned(session: Session, device_id: str) -> dict[str, str | None]:
    """What a device that registers anew held before, by field. Raises DeviceRemoved.

    It is nobody's any more: the caller gives it, or something else, to the device.
    """
    removed = session.get(RemovedDevice, device_id)
    if removed is None:
        return dict.fromkeys(FIELDS)
    if not removed.readmitted:
        raise DeviceRemoved(device_id, removed.removed_at)
    held = {field: getattr(removed, field) for field in FIELDS}
    session.delete(removed)
    session.flush()
    taken = (
        select(Device.device_id).where(getattr(Device, field) == held[field]) for field in FIELDS
    )
    return {
        field: None if session.scalar(holder) else held[field]
        for field, holder in zip(FIELDS, taken, strict=True)
    }


def absence(session: Session, device_id: str) -> RegistryError:
    """Why there is no device of this name."""
    removed = session.get(RemovedDevice, device_id)
    if removed is None or removed.readmitted:
        return UnknownDevice(device_id)
    return DeviceRemoved(device_id, removed.removed_at)


def check_free(
    session: Session, field: str, address: IPAddress, now: float, quarantine: float
) -> None:
    """Raises AddressInQuarantine where a removed device held `address` of late."""
    held = getattr(RemovedDevice, field) == str(address)
    recent = RemovedDevice.removed_at > now - quarantine
    removed = session.scalar(select(RemovedDevice).where(held, recent))
    if removed is not None:
        free_at = removed.removed_at + quarantine
        raise AddressInQuarantine(field, str(address), removed.device_id, free_at)


def in_quarantine(session: Session, now: float, quarantine: float) -> Sequence[RemovedDevice]:
    """Those whose addresses nobody may have yet, the oldest first."""
    recent = RemovedDevice.removed_at > now - quarantine
    return session.scalars(
        select(RemovedDevice).where(recent).order_by(RemovedDevice.removed_at)
    ).all()


def those_out(session: Session) -> Sequence[RemovedDevice]:
    """All that stay out, by name of device."""
    out = RemovedDevice.readmitted.is_(False)
    return session.scalars(select(RemovedDevice).where(out).order_by(RemovedDevice.device_id)).all()


def shown(removed: RemovedDevice, quarantine: float) -> Removal:
    """The removal as it is told."""
    held = removed.tun_ipv4 or removed.tun_ipv6
    return Removal(
        device_id=removed.device_id,
        at=removed.removed_at,
        tun_ipv4=removed.tun_ipv4,
        tun_ipv6=removed.tun_ipv6,
        free_at=removed.removed_at + quarantine if held else None,
    )
