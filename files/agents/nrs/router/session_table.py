"""Which sessions a routing server holds, and which of them an inner address belongs to.

A device has at most one current session, the one before it for a moment, and a
few pending ones: a HELLO, even a replayed one, only ever makes a pending session,
and a pending session becomes current with its first authentic datagram. Pure.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from nrs.config.types import IPNetwork
from nrs.router.delivery import Delivery
from nrs.tunnel.session import Session
from nrs.tunnel.wire import Claim

MOST_PENDING = 4
PENDING_S = 10.0
PREVIOUS_S = 15.0
DEAD_S = 30.0
FORGOTTEN_S = 90.0


@dataclass(slots=True)
class Pending:
    """A session offered in a HELLO_ACK; the answer is kept to repeat it for a repeated HELLO."""

    session: Session
    nonce: bytes
    answer: bytes
    offered: float


@dataclass(slots=True)
class Device:
    """An endpoint and its sessions."""

    claim: Claim
    pending: list[Pending] = field(default_factory=list)
    current: Session | None = None
    previous: tuple[Session, float] | None = None
    since: float = 0.0
    """When the present state began, in seconds since the Unix epoch."""
    active: bool = False
    role_sequence: int = 0
    delivery: Delivery = field(default_factory=Delivery)
    """Of the current session."""

    def up(self, now: float) -> bool:
        """Whether something authentic arrived within the last 30 s."""
        return self.current is not None and now - self.current.last_received < DEAD_S


class SessionTable:
    """All devices of a routing server."""

    def __init__(self) -> None:
        self._devices: dict[Claim, Device] = {}
        self._by_address: dict[bytes, Session] = {}
        self._by_prefix: dict[IPNetwork, Session] = {}
        self._by_session: dict[Session, Device] = {}

    def __iter__(self) -> Iterator[Device]:
        return iter(list(self._devices.values()))

    def repeated(self, claim: Claim, nonce: bytes) -> Pending | None:
        """The pending session that this very HELLO has made already."""
        device = self._devices.get(claim)
        if device is None:
            return None
        return next((p for p in device.pending if p.nonce == nonce), None)

    def offer(self, claim: Claim, pending: Pending) -> Session | None:
        """Add a pending session; the one that it pushes out, if any."""
        device = self._devices.setdefault(claim, Device(claim))
        device.pending.append(pending)
        self._by_session[pending.session] = device
        if len(device.pending) <= MOST_PENDING:
            return None
        oldest = device.pending.pop(0).session
        del self._by_session[oldest]
        return oldest

    def confirm(self, session: Session, now: float, wall: float) -> tuple[Device, list[Session]]:
        """Make a pending session current; the device and sessions to forget.

        A device that claims an address of another one takes it over (only with a
        shared key can two devices claim the same address).
        """
        device = self._by_session[session]
        forget = [p.session for p in device.pending if p.session is not session]
        device.pending.clear()
        if device.previous is not None:
            forget.append(device.previous[0])
        device.previous = None
        if device.current is not None:
            device.previous = (device.current, now)
        else:
            device.since = wall
        device.current = session
        device.role_sequence = 0
        device.delivery = Delivery()
        for address in session.owned.addresses:
            self._by_address[address] = session
        for prefix in session.owned.prefixes:
            self._by_prefix[prefix] = session
        for old in forget:
            del self._by_session[old]
        return device, forget

    def resume(
        self, claim: Claim, session: Session, now: float, *, active: bool, since: float
    ) -> list[Session]:
        """Take a session of an earlier process, the older ones first; the sessions to forget."""
        gone = self.offer(claim, Pending(session, b"", b"", now))
        if not session.confirmed:
            return [] if gone is None else [gone]
        device, forget = self.confirm(session, now, since)
        device.active = active
        return forget

    def device(self, session: Session) -> Device | None:
        """The device that `session` belongs to."""
        return self._by_session.get(session)

    def select(self, destination: bytes) -> Session | None:
        """The session that a packet to this address goes through: longest prefix first."""
        session = self._by_address.get(destination)
        if session is not None or not self._by_prefix:
            return session
        address = ipaddress.ip_address(destination)
        matching = [prefix for prefix in self._by_prefix if address in prefix]
        if not matching:
            return None
        return self._by_prefix[max(matching, key=lambda prefix: prefix.prefixlen)]

    def remove(self, device: Device) -> list[Session]:
        """Forget a device; its sessions."""
        gone = [p.session for p in device.pending]
        gone += [s for s in (device.current, device.previous and device.previous[0]) if s]
        self._drop(device, gone)
        return gone

    def revoke(self, keep: Callable[[Session], bool]) -> tuple[list[Device], list[Session]]:
        """Forget the sessions that are not to be kept: devices left without one, the sessions.

        The session before the current one goes with it: the endpoint sends through neither.
        """
        devices: list[Device] = []
        gone: list[Session] = []
        for device in self:
            lost = [p.session for p in device.pending if not keep(p.session)]
            if device.previous is not None and not keep(device.previous[0]):
                lost.append(device.previous[0])
            if device.current is not None and not keep(device.current):
                lost.append(device.current)
                if device.previous is not None and device.previous[0] not in lost:
                    lost.append(device.previous[0])
                devices.append(device)
            self._drop(device, lost)
            gone += lost
        return devices, gone

    def _drop(self, device: Device, lost: list[Session]) -> None:
        """Take the sessions out of every table, and the device if none is left."""
        device.pending = [p for p in device.pending if p.session not in lost]
        if device.previous is not None and device.previous[0] in lost:
            device.previous = None
        if device.current in lost:
            device.current = None
            device.active = False
        for session in lost:
            del self._by_session[session]
            for address in session.owned.addresses:
                if self._by_address.get(address) is session:
                    del self._by_address[address]
            for prefix in session.owned.prefixes:
                if self._by_prefix.get(prefix) is session:
                    del self._by_prefix[prefix]
        if device.current is None and not device.pending:
            self._devices.pop(device.claim, None)

    def expire(self, now: float) -> tuple[list[Device], list[Session]]:
        """Forget what has been silent for too long: devices removed, sessions to forget."""
        devices: list[Device] = []
        sessions: list[Session] = []
        for device in self:
            for pending in [p for p in device.pending if now - p.offered > PENDING_S]:
                device.pending.remove(pending)
                del self._by_session[pending.session]
                sessions.append(pending.session)
            if device.previous is not None and now - device.previous[1] > PREVIOUS_S:
                del self._by_session[device.previous[0]]
                sessions.append(device.previous[0])
                device.previous = None
            silent = device.current is None or now - device.current.last_received > FORGOTTEN_S
            if silent and not device.pending:
                sessions += self.remove(device)
                devices.append(device)
        return devices, sessions

    def count_up(self, now: float) -> int:
        """Devices with a live tunnel."""
        return sum(device.up(now) for device in self)
