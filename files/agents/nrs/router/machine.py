"""What a routing server does with handshakes, control datagrams, addresses and its own state.

    handle_hello      HELLO        ->  a pending session and its HELLO_ACK, or a refusal
    handle_confirmed  first packet ->  that session is current, its addresses are routed to it
    handle_control    PROBE, ROLE, BYE
    handle_unknown    a datagram of no session  ->  NO_SESSION
    handle_config     keys, networks            ->  sessions of keys that are gone end
    handle_service    egress, drain, restart    ->  endpoints and load balancers are told
    due               what has been silent for too long is forgotten

Events come with the time, answers are orders. What packets need is asked directly (`select`).
Pure.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from logging import DEBUG, INFO, WARNING
from typing import Any

from nrs.config.types import IPAddress
from nrs.router import claims
from nrs.router.announcement import Announcement
from nrs.router.config import RoutingServerConfig
from nrs.router.orders import AddRoutes, Announce, Answer, Order, RemoveRoutes, Report
from nrs.router.service import Service
from nrs.router.session_table import Device, Entry, Pending, Sessions, SessionTable
from nrs.tunnel import wire
from nrs.tunnel.address_text import describe
from nrs.tunnel.control import Control
from nrs.tunnel.drop import Drop
from nrs.tunnel.handshake import (
    BadTag,
    HandshakeError,
    Identity,
    ModeRefused,
    Offer,
    Random,
    Responder,
)
from nrs.tunnel.inner import flow_destination
from nrs.tunnel.orders import (
    CloseSession,
    LimitDatagrams,
    NoteSession,
    OpenSession,
    Refuse,
    SendControl,
    Tell,
)
from nrs.tunnel.ratelimit import SourceLimiter
from nrs.tunnel.record import Progress, Record, key_print
from nrs.tunnel.wire import Claim, KeyMode, Probe, ProbeAck, RouterFlag, Type

_REFUSAL_INTERVAL_S = 1.0
_NO_SESSIONS_A_SECOND = 5
"""To one source: many endpoints may be behind one address."""
_WRONG_MODE = {
    KeyMode.SHARED: (
        "its key is the shared PSK, and tunnel.key_modes allows device keys only: give it"
        " tunnel.device_key, or allow 'shared' here"
    ),
    KeyMode.DEVICE: (
        "its key is a device key, and tunnel.key_modes allows the shared PSK only: allow"
        " 'device' here"
    ),
}

Peer = tuple[Any, ...]
"""A socket address: host, port and more."""


class RouterMachine:
    """The decisions of a routing server around its session table.

    `now` is in seconds of the clock of `Sessions`, `wall` in seconds since the Unix epoch.
    """

    def __init__(self, config: RoutingServerConfig, random: Random) -> None:
        self._random = random
        self._table = SessionTable()
        self._service = Service()
        self._flags = RouterFlag(0)
        self._announcement = Announcement()
        self._limiter = SourceLimiter()
        self._strangers = SourceLimiter(rate=_NO_SESSIONS_A_SECOND, burst=_NO_SESSIONS_A_SECOND)
        self._refused_at = -_REFUSAL_INTERVAL_S
        self._configure(config)

    def _configure(self, config: RoutingServerConfig) -> None:
        tunnel = config.tunnel
        self._networks = tunnel.endpoint_networks
        self._on_link = (tunnel.tun_ipv4.network, tunnel.tun_ipv6.network)
        own: list[IPAddress] = [tunnel.tun_ipv4.ip, tunnel.tun_ipv6.ip]
        own += [a for a in (config.server.internal_ip, config.server.external_ip) if a]
        self._own = own
        self._identity = Identity(config.server.server_id, tunnel.tun_ipv4.ip, tunnel.tun_ipv6.ip)
        self._responder = Responder(
            self._identity,
            tunnel.keys,
            frozenset(KeyMode[mode.upper()] for mode in tunnel.key_modes),
        )
        self._held = {key_print(key, self._identity): key for key in self._responder.held()}

    # -- asked by packets

    def select(self, flow: bytes, tcp_flags: int, now: float) -> int:
        return self._table.select(flow_destination(flow))

    def delivered(self, index: int, now: float) -> None:
        """Nothing to do: liveness is the endpoints' business."""

    # -- asked by who shows them, perhaps in another thread

    @property
    def devices(self) -> Iterable[Device]:
        """Those that have a session, or are offered one; not to be changed."""
        return self._table

    @property
    def service(self) -> Service:
        """As stated last."""
        return self._service

    def count_up(self, now: float, sessions: Sessions) -> int:
        """Devices with a live tunnel."""
        return self._table.count_up(now, sessions)

    # -- sessions

    def handle_hello(self, datagram: bytes, peer: Peer, now: float) -> list[Order]:
        if not self._limiter.allow(_source_key(peer), now):
            return [Refuse(Drop.RATE)]
        try:
            offer = self._responder.check(datagram)
            claim = offer.hello.claim
            why = claims.refusal(claim, networks=self._networks, own=self._own)
            if why is not None:
                return [Refuse(Drop.SOURCE), *self._tell_refusal(now, claim, peer, why)]
            repeated = self._table.repeated(claim, offer.hello.nonce)
            return self._offer(offer, now) if repeated is None else [Answer(repeated.answer)]
        except BadTag:
            return [Refuse(Drop.TAG)]
        except ModeRefused as refused:
            why = _WRONG_MODE[refused.hello.key_mode]
            told = self._tell_refusal(now, refused.hello.claim, peer, why)
            return [Refuse(Drop.MALFORMED), *told]
        except HandshakeError as error:
            text = f"HELLO from {describe(peer)}: {error}"
            return [Refuse(Drop.MALFORMED), Tell(DEBUG, text)]

    def _offer(self, offer: Offer, now: float) -> list[Order]:
        """Raises HandshakeError."""
        index, claim = self._free_index(), offer.hello.claim
        answer, agreed = self._responder.accept(offer, index, self._flags, self._random)
        record = Record.of(agreed, offer.held, claim, now, identity=self._identity)
        pending = Pending(Entry(index, offer.held), offer.hello.nonce, answer, now)
        return [
            *map(CloseSession, self._table.offer(claim, pending)),
            OpenSession(record, offer.held),
            Answer(answer),
        ]

    def _free_index(self) -> int:
        while True:
            index = int.from_bytes(self._random(4), "big")
            if index and index not in self._table:
                return index

    def _tell_refusal(self, now: float, claim: Claim, peer: Peer, why: str) -> list[Order]:
        if now - self._refused_at < _REFUSAL_INTERVAL_S:
            return []
        self._refused_at = now
        return [Tell(WARNING, f"refused {claim.endpoint_id} from {describe(peer)}: {why}")]

    def resume(self, record: Record, progress: Progress, now: float) -> list[Order]:
        """Go on with a session of an earlier process, the older ones first.

        Without an order to open it, it would not be accepted now.
        """
        claim, index = record.claim, record.secrets.local_index
        key = self._held.get(record.key_print)
        why = claims.refusal(claim, networks=self._networks, own=self._own)
        if key is None or why is not None:
            return []
        device, gone = self._table.resume(claim, Entry(index, key), progress, now)
        routes = self._routes(device) if progress.confirmed else []
        return [OpenSession(record, key), *map(CloseSession, gone), *routes]

    def handle_confirmed(self, index: int, peer: Peer, now: float, wall: float) -> list[Order]:
        """A session's first authentic datagram has arrived, from `peer`."""
        known = self._table.device(index)
        fresh = known is not None and known.current is None
        device, forget = self._table.confirm(index, now, wall)
        orders: list[Order] = [
            *map(CloseSession, forget),
            NoteSession(index, device.active, device.since),
            *self._routes(device),
        ]
        if fresh:
            claim = device.claim
            where = f"{claim.tun_ipv4}, from {describe(peer)}"
            orders.append(Tell(INFO, f"tunnel to {claim.endpoint_id} is up ({where})"))
        return orders

    def handle_control(
        self, index: int, control: Control, highest: int, received: int
    ) -> list[Order]:
        """`highest`, `received`: what the session has received in the datagram's lane.

        Raises wire.Malformed.
        """
        device = self._table.device(index)
        if device is None:
            return []
        current = device.current is not None and device.current.index == index
        if control.kind is Type.BYE and current:
            text = f"tunnel to {device.claim.endpoint_id} was closed by the endpoint"
            return [Tell(INFO, text), *self._forget(device, self._table.remove(device))]
        orders: list[Order] = []
        newer = current and control.sequence > device.role_sequence
        if control.kind is Type.PATH_PROBE:
            device.path_probes += current
            answer = wire.encode_path_ack(wire.OVERHEAD + len(control.body))
            orders.append(
                SendControl(index, Type.PATH_ACK, answer, specific=control.specific, whole=True)
            )
        if control.kind is Type.PROBE:
            probe = Probe.decode(control.body)
            answer = ProbeAck(
                timestamp_us=probe.timestamp_us,
                highest=highest,
                received=received,
                confirmed=self._got_through(device, highest, current=current),
                path_probes=device.path_probes,
            ).encode()
            flags, specific = self._flags, control.specific
            orders.append(SendControl(index, Type.PROBE_ACK, answer, flags, specific))
            limit = probe.longest, bool(control.flags & wire.SETTLED)
            if newer and limit != device.limit:
                device.limit = limit
                orders.append(LimitDatagrams(index, *limit))
        if control.kind in {Type.PROBE, Type.ROLE} and current:
            active = bool(control.flags & wire.ACTIVE)
            if device.take_role(control.sequence, active):
                orders.append(NoteSession(index, active, device.since))
        return orders

    def handle_unknown(self, datagram: bytes, peer: Peer, now: float) -> list[Order]:
        """Tell the sender that there is no such session: after a reboot it will say HELLO."""
        if not self._strangers.allow(_source_key(peer), now):
            return []
        return [Answer(wire.no_session(datagram))]

    def due(self, now: float, sessions: Sessions) -> list[Order]:
        """Forget the silent."""
        orders: list[Order] = []
        for device in self._table:
            lost = self._table.expire(device, now, sessions)
            if lost and device.since and device.current is None and not device.pending:
                text = f"tunnel to {device.claim.endpoint_id} is gone: nothing heard"
                orders.append(Tell(INFO, text))
            orders += self._forget(device, lost)
        return orders

    # -- the router itself

    def handle_config(self, config: RoutingServerConfig) -> list[Order]:
        """Take over a configuration; sessions stay, but those of a key that is gone."""
        self._configure(config)
        orders: list[Order] = []
        for device in self._table:
            current = device.current
            lost = self._table.revoke(device, self._responder.accepts)
            if current is not None and current.index in lost:
                name = device.claim.endpoint_id
                why = "the key that opened it is no longer accepted"
                # Said before it is forgotten: the endpoint tries anew at once.
                orders += [
                    SendControl(current.index, Type.BYE),
                    Tell(WARNING, f"tunnel to {name} is closed: {why}"),
                ]
            orders += self._forget(device, lost)
        return orders

    def handle_service(self, service: Service) -> list[Order]:
        """Go by another state, and tell of it."""
        before, self._service = self._service, service
        orders: list[Order] = []
        if service.flags != self._flags:
            self._flags = service.flags
            self._announcement = Announcement(self._table)
            orders.append(Announce())
        if (service.egress_up, service.draining) != (before.egress_up, before.draining):
            orders.append(Report())
        return orders

    def announce_next(self, now: float, sessions: Sessions) -> list[Order] | None:
        """Tell the next endpoint of the state, perhaps later; None where nobody is left."""
        if self._announcement.over:
            return None
        index = self._announcement.next(now, sessions)
        return [SendControl(index, Type.ROLE, flags=self._flags)] if index else []

    def close(self) -> list[Order]:
        """Say BYE to every endpoint, and forget them."""
        orders: list[Order] = [
            SendControl(device.current.index, Type.BYE)
            for device in self._table
            if device.current is not None
        ]
        for device in self._table:
            orders += self._forget(device, self._table.remove(device))
        return orders

    # -- its parts

    def _got_through(self, device: Device, highest: int, *, current: bool) -> int:
        """Up to which number what a session has brought is known to be past the egress."""
        echoes = self._service.echoes
        if echoes is None:
            return highest
        return device.delivery.confirmed(highest, echoes) if current else 0

    def _routes(self, device: Device) -> list[Order]:
        beyond = self._beyond(device)
        return [AddRoutes(beyond)] if beyond else []

    def _forget(self, device: Device, sessions: list[int]) -> list[Order]:
        if not sessions:
            return []
        unused = tuple(a for a in self._beyond(device) if not self._table.select(a))
        return [*map(CloseSession, sessions), *([RemoveRoutes(unused)] if unused else [])]

    def _beyond(self, device: Device) -> tuple[bytes, ...]:
        """Its addresses that the networks of the TUN device itself do not lead to."""
        claim = device.claim
        return tuple(
            address.packed
            for address in (claim.tun_ipv4, claim.tun_ipv6)
            if not any(address in network for network in self._on_link)
        )


def _source_key(peer: Peer) -> bytes:
    """What HELLOs are limited by: the IPv4 address, or the /64 of an IPv6 one."""
    address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped.packed
        return address.packed[:8]
    return address.packed
