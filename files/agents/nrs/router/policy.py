"""What a routing server does with handshakes, control datagrams and addresses."""

from __future__ import annotations

import ipaddress
import logging
import secrets
import time
from typing import Any

from nrs.config.types import IPAddress, IPNetwork
from nrs.router import claims
from nrs.router.config import RoutingServerConfig
from nrs.router.delivery import Echoes
from nrs.router.session_table import Device, Pending, SessionTable
from nrs.system.links import LinkError, Links
from nrs.tunnel import wire
from nrs.tunnel.codec.sealing import Check
from nrs.tunnel.engine import Control, Engine, describe
from nrs.tunnel.figures import Drop
from nrs.tunnel.handshake import (
    BadTag,
    HandshakeError,
    Identity,
    ModeRefused,
    Offer,
    Responder,
)
from nrs.tunnel.inner import flow_destination
from nrs.tunnel.ratelimit import SourceLimiter
from nrs.tunnel.session import Opening, Session, open_session, resume_session
from nrs.tunnel.session_memory import SessionMemory, key_print
from nrs.tunnel.udp_socket import UdpSocket
from nrs.tunnel.wire import KeyMode, ProbeAck, RouterFlag, Type

log = logging.getLogger(__name__)

_EXPIRE_INTERVAL_S = 1.0
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


class RouterPolicy:
    """The decisions of a routing server around its session table."""

    def __init__(self, config: RoutingServerConfig, links: Links) -> None:
        self.table = SessionTable()
        self.engine: Engine
        self.flags = RouterFlag(0)
        """The state of this router, told with every HELLO_ACK and PROBE_ACK."""
        self.echoes: Echoes | None = None
        """Those that prove the way on; None where nothing is known but its interface."""
        self._links = links
        self._limiter = SourceLimiter()
        self._strangers = SourceLimiter(rate=_NO_SESSIONS_A_SECOND, burst=_NO_SESSIONS_A_SECOND)
        self._refused_at = -_REFUSAL_INTERVAL_S
        self._routed: dict[bytes, IPNetwork] = {}
        self._clock = time.monotonic
        self.configure(config)

    def configure(self, config: RoutingServerConfig) -> None:
        """Take over a configuration; sessions stay, but those of a key that is gone."""
        tunnel = config.tunnel
        self._interface = tunnel.interface_name
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
        self._revoke()

    def _revoke(self) -> None:
        """Close the sessions whose key or mode is no longer accepted."""
        lost = [
            device.current
            for device in self.table
            if device.current is not None and not self._accepted(device.current)
        ]
        for session in lost:
            # Said before it is forgotten: the endpoint tries anew at once.
            self.engine.send_control(session, Type.BYE)
        devices, sessions = self.table.revoke(self._accepted)
        for device in devices:
            log.warning(
                "tunnel to %s is closed: the key that opened it is no longer accepted",
                device.claim.endpoint_id,
            )
        self._forget(sessions)

    def _accepted(self, session: Session) -> bool:
        return session.opened_with is not None and self._responder.accepts(session.opened_with)

    def start(self, engine: Engine, socket: UdpSocket) -> None:
        """Serve `engine`, and go on with the sessions of an earlier process through `socket`."""
        self.engine = engine
        if engine.memory is not None:
            self._resume(engine.memory, socket)

    def _resume(self, memory: SessionMemory, socket: UdpSocket) -> None:
        now = self._clock()
        keys = {key_print(key, self._identity): key for key in self._responder.held()}
        found = sorted(memory, key=lambda entry: entry[1].created)
        for slot, record in found:
            key = keys.get(record.key_print)
            why = claims.refusal(record.claim, networks=self._networks, own=self._own)
            if key is None or why is not None or not socket.can_reach(slot.peer[0]):
                slot.release()
                continue
            session = resume_session(
                self.engine.codec, slot, record, key, Check.SOURCE, socket, now
            )
            progress = slot.progress
            gone = self.table.resume(
                record.claim, session, now, active=progress.active, since=progress.since
            )
            self.engine.add_session(session)
            for old in gone:
                self.engine.remove_session(old)
            if session.confirmed:
                self._add_routes(session)
        stale = self._links.routes(self._interface) - set(self._routed.values())
        for network in stale:
            if network.prefixlen == network.max_prefixlen:
                self._links.remove_route(network, self._interface)
        if found:
            log.info(
                "%d of %d sessions of an earlier run go on", len(self.engine.sessions), len(found)
            )

    # -- Policy

    def select(self, flow: bytes, tcp_flags: int) -> Session | None:
        return self.table.select(flow_destination(flow))

    def delivered(self, session: Session) -> None:
        """Nothing to do: liveness is the endpoints' business."""

    def handshake(
        self,
        kind: Type,
        datagram: bytes,
        socket: UdpSocket,
        peer: tuple[Any, ...],
        local: bytes | None,
    ) -> Drop | None:
        if kind is not Type.HELLO:
            return Drop.MALFORMED
        now = self._clock()
        if not self._limiter.allow(_source_key(peer), now):
            return Drop.RATE
        try:
            offer = self._responder.check(datagram)
        except BadTag:
            return Drop.TAG
        except ModeRefused as refused:
            self._log_refusal(now, refused.hello.claim, peer, _WRONG_MODE[refused.hello.key_mode])
            return Drop.MALFORMED
        except HandshakeError as error:
            log.debug("HELLO from %s: %s", describe(peer), error)
            return Drop.MALFORMED
        claim = offer.hello.claim
        why = claims.refusal(claim, networks=self._networks, own=self._own)
        if why is not None:
            self._log_refusal(now, claim, peer, why)
            return Drop.SOURCE
        repeated = self.table.repeated(claim, offer.hello.nonce)
        if repeated is None:
            try:
                repeated = self._accept(offer, socket, peer, local, now)
            except HandshakeError as error:
                log.debug("HELLO from %s: %s", describe(peer), error)
                return Drop.MALFORMED
        self.engine.send_raw(socket, repeated.answer, peer, local)
        return None

    def unknown(
        self, datagram: bytes, socket: UdpSocket, peer: tuple[Any, ...], local: bytes | None
    ) -> None:
        """Tell the sender that there is no such session: after a reboot it will say HELLO."""
        if self._strangers.allow(_source_key(peer), self._clock()):
            self.engine.send_raw(socket, wire.no_session(datagram), peer, local)

    def confirmed(self, session: Session) -> None:
        known = self.table.device(session)
        fresh = known is not None and known.current is None
        device, forget = self.table.confirm(session, self._clock(), time.time())
        for old in forget:
            self.engine.remove_session(old)
        session.note(active=device.active, since=device.since)
        self._add_routes(session)
        if fresh:
            log.info(
                "tunnel to %s is up (%s, from %s)",
                device.claim.endpoint_id,
                device.claim.tun_ipv4,
                describe(session.path.peer or ()),
            )

    def control(self, session: Session, control: Control) -> None:
        device = self.table.device(session)
        if device is None:
            return
        if control.kind is Type.PROBE:
            highest = session.opener.highest(control.lane)
            answer = ProbeAck(
                timestamp_us=wire.decode_probe(control.body),
                highest=highest,
                received=session.opener.received(control.lane),
                confirmed=self._confirmed(device, session, highest),
            )
            self._role(device, session, control)
            self.engine.send_control(
                session,
                Type.PROBE_ACK,
                answer.encode(),
                flags=self.flags,
                specific=control.specific,
            )
        elif control.kind is Type.ROLE:
            self._role(device, session, control)
        elif control.kind is Type.BYE and session is device.current:
            log.info("tunnel to %s was closed by the endpoint", device.claim.endpoint_id)
            self._forget(self.table.remove(device))

    # -- its parts

    def _accept(
        self,
        offer: Offer,
        socket: UdpSocket,
        peer: tuple[Any, ...],
        local: bytes | None,
        now: float,
    ) -> Pending:
        index = self._free_index()
        answer, agreed = self._responder.accept(offer, index, self.flags, secrets.token_bytes)
        claim = offer.hello.claim
        session = open_session(
            self.engine.codec,
            self.engine.memory,
            Opening(agreed, offer.held, claim, self._identity),
            Check.SOURCE,
            socket,
            now,
            peer=peer,
            local=local,
        )
        pending = Pending(session, offer.hello.nonce, answer, now)
        pushed_out = self.table.offer(claim, pending)
        if pushed_out is not None:
            self.engine.remove_session(pushed_out)
        self.engine.add_session(session)
        return pending

    def _free_index(self) -> int:
        while True:
            index = secrets.randbits(32)
            if index and index not in self.engine.sessions:
                return index

    def _confirmed(self, device: Device, session: Session, highest: int) -> int:
        if self.echoes is None:
            return highest
        return device.delivery.confirmed(highest, self.echoes) if session is device.current else 0

    def _role(self, device: Device, session: Session, control: Control) -> None:
        if session is device.current and control.sequence > device.role_sequence:
            device.role_sequence = control.sequence
            active = bool(control.flags & wire.ACTIVE)
            if active is not device.active:
                device.active = active
                session.note(active=active, since=device.since)

    def _log_refusal(self, now: float, claim: wire.Claim, peer: tuple[Any, ...], why: str) -> None:
        if now - self._refused_at >= _REFUSAL_INTERVAL_S:
            self._refused_at = now
            log.warning("refused %s from %s: %s", claim.endpoint_id, describe(peer), why)

    def expire(self) -> None:
        """Forget the silent, and come back in a second."""
        devices, sessions = self.table.expire(self._clock())
        for device in devices:
            if device.since:
                log.info("tunnel to %s is gone: nothing heard", device.claim.endpoint_id)
        self._forget(sessions)

    def close(self) -> None:
        """Say BYE to every endpoint and remove the routes."""
        for device in self.table:
            if device.current is not None:
                self.engine.send_control(device.current, Type.BYE)
        for device in self.table:
            self._forget(self.table.remove(device))

    def _forget(self, sessions: list[Session]) -> None:
        for session in sessions:
            self.engine.remove_session(session)
            for address in session.owned.addresses:
                if self.table.select(address) is None:
                    self._remove_route(address)

    def _add_routes(self, session: Session) -> None:
        for address in session.owned.addresses:
            parsed = ipaddress.ip_address(address)
            if address in self._routed or any(parsed in network for network in self._on_link):
                continue
            network = ipaddress.ip_network(parsed)
            try:
                self._links.add_route(network, self._interface)
            except LinkError as error:
                log.error("%s", error)
            else:
                self._routed[address] = network

    def _remove_route(self, address: bytes) -> None:
        network = self._routed.pop(address, None)
        if network is not None:
            try:
                self._links.remove_route(network, self._interface)
            except LinkError as error:
                log.warning("%s", error)


def _source_key(peer: tuple[Any, ...]) -> bytes:
    """What HELLOs are limited by: the IPv4 address, or the /64 of an IPv6 one."""
    address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped.packed
        return address.packed[:8]
    return address.packed
