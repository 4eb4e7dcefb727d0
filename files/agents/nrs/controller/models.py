"""The controller's tables."""

from __future__ import annotations

from sqlalchemy import Boolean, Float, Index, Integer, String, Text, UniqueConstraint
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """All tables of the database."""


class Device(Base):
    """A registered device. Addresses are text in their canonical form, times epoch seconds.

    It has a tunnel address of one family or of both.

    That no two devices hold an address is the database's promise, so that it
    holds between several processes too.
    """

    __tablename__ = "devices"

    device_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    device_type: Mapped[str] = mapped_column(String(32))
    name: Mapped[str] = mapped_column(String(128))
    tun_ipv4: Mapped[str | None] = mapped_column(String(15), unique=True)
    tun_ipv6: Mapped[str | None] = mapped_column(String(39), unique=True)
    internal_ip: Mapped[str | None] = mapped_column(String(64))
    external_ip: Mapped[str | None] = mapped_column(String(64))
    port: Mapped[int | None] = mapped_column(Integer)
    ports: Mapped[str | None] = mapped_column(Text)
    """A list of JSON, where there are several."""
    version: Mapped[str | None] = mapped_column(String(64))
    registered_at: Mapped[float] = mapped_column(Float)
    last_seen: Mapped[float] = mapped_column(Float)
    last_status: Mapped[str | None] = mapped_column(Text)
    config_version: Mapped[int] = mapped_column(Integer, default=0)
    config: Mapped[str] = mapped_column(Text, default="{}")


class RemovedDevice(Base):
    """A device that an operator has removed, and the addresses that it held.

    One that was readmitted is kept until it registers. Earlier releases have no such table, and
    pass it over.
    """

    __tablename__ = "removed_devices"

    device_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    removed_at: Mapped[float] = mapped_column(Float)
    readmitted: Mapped[bool] = mapped_column(Boolean, default=False)
    tun_ipv4: Mapped[str | None] = mapped_column(String(15))
    tun_ipv6: Mapped[str | None] = mapped_column(String(39))


class Event(Base):
    """An event that a device has posted; `id` rises in the order of arrival.

    A device that has lost its state counts from 1 again, so the time is part of what
    tells an event from another.
    """

    __tablename__ = "events"
    __table_args__ = (
        UniqueConstraint("device_id", "number", "at"),
        Index("events_of_device", "device_id", "id"),
    )

    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    device_id: Mapped[str] = mapped_column(String(64))
    number: Mapped[int] = mapped_column(Integer)
    at: Mapped[float] = mapped_column(Float)
    content: Mapped[str] = mapped_column(Text)
