"""Which sessions a routing server holds, and which of them an inner address belongs to.

A device has at most one current session, the one before it for a moment, and a
few pending ones: a HELLO, even a replayed one, only ever makes a pending session,
and a pending session becomes current with its first authentic datagram. Pure.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol

from nrs.config.types import IPNetwork
from nrs.router.delivery import Delivery
from nrs.router.prefix_table import PrefixTable
from nrs.tunnel.handshake import StaticKey
from nrs.tunnel.record import Progress
from nrs.tunnel.wire import Cipher, Claim

MOST_PENDING = 4
PENDING_S = 10.0
PREVIOUS_S = 15.0
DEAD_S = 30.0
FORGOTTEN_S = 90.0
OLDEST_S = 7200.0
"""Of a session: endpoints renew theirs after half of this."""


class Heard(Protocol):
    """What the packet path notes of a session, in seconds of its clock."""

    @property
    def peer(self) -> tuple[Any, ...] | None:
        """The socket address of the other end."""

    @property
    def created(self) -> float:
        """When it was agreed on, perhaps by an earlier process."""

    @property
    def last_received(self) -> float:
        """When something authentic arrived."""

    @property
    def last_data_received(self) -> float:
        """When packets arrived."""

    @property
    def last_data_sent(self) -> float:
        """When packets left."""


Sessions = Mapping[int, Heard]
"""By index: read where it is asked for, as every packet changes it."""


@dataclass(slots=True)
class SessionState:
    """What has been said in one session; a new one begins anew."""

    role_sequence: int = 0
    path_probes: int = 0
    """Answered."""
    limit: tuple[int, bool] | None = None
    """What it may send, as its endpoint has said: see `LimitDatagrams`."""
    together: bool = True
    """Whether that may go in trains."""
    joined_badly: bool = False
    """Whether its endpoint says that what this router joins is damaged."""
    port: int = 0
    """Where it has come in when it said that, or that it is not."""
    trial: tuple[int, float] | None = None
    """The trial of its endpoint's that was answered last, and when."""
    delivery: Delivery = field(default_factory=Delivery)


@dataclass(frozen=True, slots=True)
class Entry:
    """A session; `key` is the router's own that its HELLO was checked with."""

    index: int
    key: StaticKey
    succession: bytes = field(repr=False)
    """What a HELLO proves with that it comes from the same device."""
    cipher: Cipher = Cipher.NONE
    state: SessionState = field(default_factory=SessionState, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class Pending:
    """A session offered in a HELLO_ACK; the answer is kept to repeat it for a repeated HELLO."""

    entry: Entry
    nonce: bytes
    answer: bytes
    offered: float
    holders: tuple[int, ...] = ()
    """Sessions that it would take something from, and of which its HELLO has proved nothing."""


@dataclass(slots=True)
class Device:
    """An endpoint and its sessions."""

    claim: Claim
    pending: list[Pending] = field(default_factory=list)
    current: Entry | None = None
    previous: tuple[Entry, float] | None = None
    """And since when it is not the current one."""
    since: float = 0.0
    """When the present state began, in seconds since the Unix epoch."""
    active: bool = False

    @property
    def addresses(self) -> tuple[bytes, ...]:
        """Its own, of either family or both."""
        return tuple(address.packed for address in self.claim.addresses)

    def heard(self, sessions: Sessions) -> Heard | None:
        """Of its current session."""
        current = self.current
        return None if current is None else sessions.get(current.index)

    def silent(self, now: float, sessions: Sessions) -> float:
        """Seconds since something authentic arrived."""
        heard = self.heard(sessions)
        return math.inf if heard is None else now - heard.last_received

    def up(self, now: float, sessions: Sessions) -> bool:
        """Whether something authentic arrived within the last 30 s."""
        return self.silent(now, sessions) < DEAD_S

    def entry(self, index: int) -> Entry:
        """Its session of this index, which it has."""
        held = [*(offer.entry for offer in self.pending), self.current]
        if self.previous is not None:
            held.append(self.previous[0])
        return next(one for one in held if one is not None and one.index == index)

    def take_role(self, sequence: int, active: bool) -> bool:
        """Whether datagram `sequence` of the current session says a new thing, and not late."""
        if self.current is None or sequence <= self.current.state.role_sequence:
            return False
        self.current.state.role_sequence = sequence
        changed = active is not self.active
        self.active = active
        return changed


class SessionTable:
    """All devices of a routing server; sessions are named by their index."""

    def __init__(self) -> None:
        self._devices: dict[Claim, Device] = {}
        self._by_address: dict[bytes, int] = {}
        self._prefixes = PrefixTable()
        self._by_session: dict[int, Device] = {}

    def __iter__(self) -> Iterator[Device]:
        return iter(list(self._devices.values()))

    def __contains__(self, index: int) -> bool:
        return index in self._by_session

    def repeated(self, claim: Claim, nonce: bytes) -> Pending | None:
        """The pending session that this very HELLO has made already."""
        device = self._devices.get(claim)
        if device is None:
            return None
        return next((p for p in device.pending if p.nonce == nonce), None)

    def holders(self, claim: Claim) -> list[Entry]:
        """The sessions in use that one of this claim would take something from."""
        found = {self._by_address.get(address.packed) for address in claim.addresses}
        for prefix in claim.prefixes:
            found.update(self._prefixes.overlapping(prefix))
        devices = [self._by_session[index] for index in found if index is not None]
        if claim in self._devices:
            devices.append(self._devices[claim])
        entries = {d.current.index: d.current for d in devices if d.current is not None}
        return list(entries.values())

    def pending(self, index: int) -> Pending | None:
        """A session that is offered and not used yet."""
        device = self._by_session.get(index)
        offers = device.pending if device is not None else []
        return next((p for p in offers if p.entry.index == index), None)

    def offer(self, claim: Claim, pending: Pending) -> list[int]:
        """Add a pending session; the one that it pushes out, if any."""
        device = self._devices.setdefault(claim, Device(claim))
        device.pending.append(pending)
        self._by_session[pending.entry.index] = device
        if len(device.pending) <= MOST_PENDING:
            return []
        oldest = device.pending.pop(0).entry.index
        del self._by_session[oldest]
        return [oldest]

    def confirm(self, index: int, now: float, wall: float) -> tuple[Device, list[int]]:
        """Make a pending session current; the device and sessions to forget.

        A device that claims an address or prefix of another one takes it over.
        """
        device = self._by_session[index]
        forget = [p.entry.index for p in device.pending if p.entry.index != index]
        confirmed = next(p.entry for p in device.pending if p.entry.index == index)
        device.pending.clear()
        if device.previous is not None:
            forget.append(device.previous[0].index)
        device.previous = None
        if device.current is not None:
            device.previous = (device.current, now)
        else:
            device.since = wall
        device.current = confirmed
        self._lead(device, index)
        for old in forget:
            del self._by_session[old]
        return device, forget

    def _lead(self, device: Device, index: int) -> None:
        """Packets to a device go through this session."""
        for address in device.addresses:
            self._by_address[address] = index
        for prefix in device.claim.prefixes:
            self._prefixes.put(prefix, index)

    def withdraw(self, index: int) -> list[int]:
        """Forget one session that was offered; this session."""
        self._drop(self._by_session[index], [index])
        return [index]

    def restore(self, holder: int, rival: int) -> list[int]:
        """Undo that one session has taken over from another; the sessions to forget.

        Of another device all go. Nothing happens where either is not there any more.
        """
        device, other = self._by_session.get(holder), self._by_session.get(rival)
        if device is None or other is None or other.current is None or other.current.index != rival:
            return []
        if device is not other:
            gone = self.remove(other)
        elif device.previous is not None and device.previous[0].index == holder:
            device.current, device.previous = device.previous[0], None
            del self._by_session[rival]
            gone = [rival]
        else:
            return []
        self.lead(holder)
        return gone

    def lead(self, index: int) -> None:
        """Packets to a device go through this session, if it is the device's current one."""
        device = self._by_session.get(index)
        if device is not None and device.current is not None and device.current.index == index:
            self._lead(device, index)

    def robbed(self, index: int) -> Device | None:
        """The device whose current session this is, if another one has something of it."""
        device = self._by_session.get(index)
        if device is None or device.current is None or device.current.index != index:
            return None
        whole = all(self._by_address.get(address) == index for address in device.addresses)
        whole = whole and all(self._prefixes.get(p) == index for p in device.claim.prefixes)
        return None if whole else device

    def resume(
        self, claim: Claim, entry: Entry, progress: Progress, now: float
    ) -> tuple[Device, list[int]]:
        """Take a session of an earlier process, the older ones first; as `confirm`."""
        gone = self.offer(claim, Pending(entry, b"", b"", now))
        if not progress.confirmed:
            return self._by_session[entry.index], gone
        device, forget = self.confirm(entry.index, now, progress.since)
        device.active = progress.active
        return device, gone + forget

    def device(self, index: int) -> Device | None:
        """The device that a session belongs to."""
        return self._by_session.get(index)

    def select(self, destination: bytes) -> int:
        """The session that a packet to this address goes through, 0: none."""
        index = self._by_address.get(destination, 0)
        return index or (self._prefixes.session_of(destination) if self._prefixes else 0)

    def leads(self, network: IPNetwork) -> bool:
        """Whether packets to a claimed network go through a session."""
        if network.num_addresses == 1 and network.network_address.packed in self._by_address:
            return True
        return self._prefixes.get(network) != 0

    def remove(self, device: Device) -> list[int]:
        """Forget a device; its sessions."""
        gone = [p.entry.index for p in device.pending]
        if device.current is not None:
            gone.append(device.current.index)
        if device.previous is not None:
            gone.append(device.previous[0].index)
        self._drop(device, gone)
        return gone

    def revoke(self, device: Device, keep: Callable[[Entry], bool]) -> list[int]:
        """Forget the device's sessions that are not to be kept; these sessions.

        The session before the current one goes with it: the endpoint sends through neither.
        """
        lost = [p.entry.index for p in device.pending if not keep(p.entry)]
        over = device.current is not None and not keep(device.current)
        if device.current is not None and over:
            lost.append(device.current.index)
        if device.previous is not None and (over or not keep(device.previous[0])):
            lost.append(device.previous[0].index)
        self._drop(device, lost)
        return lost

    def outlived(self, device: Device, now: float, sessions: Sessions) -> list[int]:
        """Forget the device's session in use, if it is too old, and the one before; these."""
        heard, current = device.heard(sessions), device.current
        if current is None or heard is None or now - heard.created <= OLDEST_S:
            return []
        lost = [current.index]
        if device.previous is not None:
            lost.append(device.previous[0].index)
        self._drop(device, lost)
        return lost

    def expire(self, device: Device, now: float, sessions: Sessions) -> list[int]:
        """Forget what of the device has been silent for too long; these sessions."""
        lost = [p.entry.index for p in device.pending if now - p.offered > PENDING_S]
        if len(lost) == len(device.pending) and device.silent(now, sessions) > FORGOTTEN_S:
            return self.remove(device)
        if device.previous is not None and now - device.previous[1] > PREVIOUS_S:
            lost.append(device.previous[0].index)
        self._drop(device, lost)
        return lost

    def _drop(self, device: Device, lost: list[int]) -> None:
        """Take the sessions out of every table, and the device if none is left."""
        if not lost:
            return
        device.pending = [p for p in device.pending if p.entry.index not in lost]
        if device.previous is not None and device.previous[0].index in lost:
            device.previous = None
        if device.current is not None and device.current.index in lost:
            device.current = None
            device.active = False
        for index in lost:
            del self._by_session[index]
            for address in device.addresses:
                if self._by_address.get(address) == index:
                    del self._by_address[address]
            for prefix in device.claim.prefixes:
                self._prefixes.drop(prefix, index)
        if device.current is None and not device.pending:
            self._devices.pop(device.claim, None)

    def count_up(self, now: float, sessions: Sessions) -> int:
        """Devices with a live tunnel."""
        return sum(device.up(now, sessions) for device in self)
