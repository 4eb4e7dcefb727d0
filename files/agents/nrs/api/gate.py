"""Who may hold a connection to an API, and for how long. Pure: the time is given.

Who has not proved a credential yet shares a cap with all of its IPv4 address or IPv6 /64, and one
with all such. Where a cap is reached, the oldest connection that has not stated a whole request
makes room. A proved credential counts by itself, wherever it connects from: a site behind one NAT
is not held up by a neighbour. Times are seconds of any steady clock.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Hashable, Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import Generic, TypeVar

Key = TypeVar("Key", bound=Hashable)


class Phase(Enum):
    """What a connection is doing."""

    ARRIVING = 1
    """It has not stated a whole request."""
    BUSY = 2
    """Its request is being answered, or waits for what it asked for."""
    SENDING = 3
    """It is to take an answer."""
    IDLE = 4
    """It may ask again."""


@dataclass(frozen=True)
class Limits:
    """How many connections, and for how many seconds."""

    per_source: int = 256
    strangers: int = 4096
    """Without a proved credential, all together."""
    per_credential: int = 64
    idle: int = 20_000
    """That may ask again, all together."""
    request_s: float = 5.0
    """For TLS, header and body of a request together."""
    sending_s: float = 15.0
    """For an answer, beside what its size takes."""
    sending_bytes_s: int = 16 * 1024
    """At which an answer has to be taken."""
    stranger_idle_s: float = 5.0
    idle_s: float = 75.0


@dataclass(eq=False)
class Guest(Generic[Key]):
    """One connection; `since` is when its phase began."""

    key: Key
    source: str
    since: float
    phase: Phase = Phase.ARRIVING
    credential: str | None = None
    taken: int = 0
    """Bytes of an answer in this phase."""

    def becomes(self, phase: Phase, now: float) -> None:
        """The connection does something else from `now` on."""
        self.phase = phase
        self.since = now
        self.taken = 0


Guests = dict[Key, "Guest[Key]"]


@dataclass
class Gate(Generic[Key]):
    """Every open connection, by a key of its owner's."""

    limits: Limits = field(default_factory=Limits)
    _all: Guests[Key] = field(default_factory=dict)
    _strangers: Guests[Key] = field(default_factory=dict)
    _sources: dict[str, Guests[Key]] = field(default_factory=dict)
    _credentials: dict[str, Guests[Key]] = field(default_factory=dict)

    def opened(self, key: Key, address: str, now: float) -> tuple[Guest[Key], Key | None]:
        """A connection from `address`, and the one to close for it, perhaps itself."""
        guest = Guest(key, source_of(address), now)
        near = self._sources.setdefault(guest.source, {})
        leaving: Guest[Key] | None = None
        if len(near) >= self.limits.per_source:
            leaving = _first_to_leave(near.values()) or guest
        elif len(self._strangers) >= self.limits.strangers:
            leaving = self._one_of_most() or guest
        self._all[key] = self._strangers[key] = near[key] = guest
        return guest, None if leaving is None else leaving.key

    def verified(self, guest: Guest[Key], credential: str) -> Key | None:
        """The connection has proved `credential`; the one to close for that.

        Of too many with one credential an idle one leaves first, then the oldest.
        """
        if guest.credential == credential:
            return None
        self._forget(guest)
        guest.credential = credential
        own = self._credentials.setdefault(credential, {})
        leaving: Guest[Key] | None = None
        if len(own) >= self.limits.per_credential:
            idle = (other for other in own.values() if other.phase is Phase.IDLE)
            leaving = next(idle, next(iter(own.values())))
        self._all[guest.key] = own[guest.key] = guest
        return None if leaving is None else leaving.key

    def closed(self, guest: Guest[Key]) -> None:
        """The connection is gone."""
        if self._all.get(guest.key) is guest:
            self._forget(guest)

    def oldest_stranger(self) -> Key | None:
        """The one to close where the host has room for no more."""
        leaving = self._one_of_most()
        return None if leaving is None else leaving.key

    def _one_of_most(self) -> Guest[Key] | None:
        """The first to leave of the source that has most, else of all strangers.

        Of all of them the only one that is arriving may be the only one that is honest.
        """
        crowd = max(self._sources.values(), key=len, default={})
        return _first_to_leave(crowd.values()) or _first_to_leave(self._strangers.values())

    def overdue(self, now: float) -> list[Key]:
        """Those whose time is over, and idle ones beyond their number, longest idle first."""
        limits, late, idle = self.limits, [], []
        for guest in self._all.values():
            phase, spent = guest.phase, now - guest.since
            if phase is Phase.ARRIVING:
                if spent >= limits.request_s:
                    late.append(guest.key)
            elif phase is Phase.SENDING:
                if spent >= limits.sending_s + guest.taken / limits.sending_bytes_s:
                    late.append(guest.key)
            elif phase is Phase.IDLE:
                stranger = guest.credential is None
                if spent >= (limits.stranger_idle_s if stranger else limits.idle_s):
                    late.append(guest.key)
                else:
                    idle.append(guest)
        if (surplus := len(idle) - limits.idle) > 0:
            late += [guest.key for guest in sorted(idle, key=lambda one: one.since)[:surplus]]
        return late

    def _forget(self, guest: Guest[Key]) -> None:
        del self._all[guest.key]
        if guest.credential is None:
            del self._strangers[guest.key]
            _take_out(self._sources, guest.source, guest.key)
        else:
            _take_out(self._credentials, guest.credential, guest.key)


def source_of(address: str) -> str:
    """What is counted together: an IPv4 address, or the /64 of an IPv6 address."""
    found = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.IPv6Network((found, 64), strict=False))


def _first_to_leave(guests: Iterable[Guest[Key]]) -> Guest[Key] | None:
    """The oldest that has not stated a whole request, else the oldest that asks nothing."""
    resting: Guest[Key] | None = None
    for guest in guests:
        if guest.phase is Phase.ARRIVING:
            return guest
        if resting is None and guest.phase in {Phase.IDLE, Phase.SENDING}:
            resting = guest
    return resting


def _take_out(groups: dict[str, Guests[Key]], name: str, key: Key) -> None:
    group = groups[name]
    del group[key]
    if not group:
        del groups[name]
