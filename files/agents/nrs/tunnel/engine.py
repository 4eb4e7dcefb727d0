"""The packet engine: one TUN device, sessions over UDP sockets, and an agent's policy."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Protocol

from nrs.tunnel import inner, wire
from nrs.tunnel.codec.interface import Codec, Opened, Stop
from nrs.tunnel.figures import Drop, Figures
from nrs.tunnel.loop import PacketLoop
from nrs.tunnel.session import Session
from nrs.tunnel.tun_device import TunDevice
from nrs.tunnel.udp_socket import UdpSocket
from nrs.tunnel.wire import Type

log = logging.getLogger(__name__)

_BUFFER_BYTES = 70_000
_READS_A_TURN = 64
_COMPLAINT_INTERVAL_S = 1.0
_HANDSHAKE_TYPES = frozenset({Type.HELLO, Type.HELLO_ACK})
_OPENER_DROPS = (Drop.TAG, Drop.REPLAY, Drop.SOURCE, Drop.MALFORMED)
_TYPES = {int(kind): kind for kind in Type}


class Policy(Protocol):
    """What an agent decides for its engine."""

    def select(self, destination: bytes) -> Session | None:
        """The session that a packet to `destination` (4 or 16 bytes) is sent through."""

    def delivered(self, session: Session) -> None:
        """Packets have come out of `session`."""

    def handshake(
        self,
        kind: Type,
        datagram: bytes,
        socket: UdpSocket,
        peer: tuple[Any, ...],
        local: bytes | None,
    ) -> Drop | None:
        """A HELLO or HELLO_ACK, not yet verified."""

    def control(self, session: Session, control: Control) -> None:
        """A verified control datagram."""

    def confirmed(self, session: Session) -> None:
        """The session has received its first authentic datagram: the peer holds its keys."""


@dataclass(frozen=True)
class Control:
    """A verified control datagram."""

    kind: Type
    flags: int
    lane: int
    sequence: int
    specific: int
    body: bytes


@dataclass(frozen=True)
class _Origin:
    """Where a train came from, and what the kernel said of it."""

    socket: UdpSocket
    peer: tuple[Any, ...]
    local: bytes | None
    each: int
    ecn: int


class Engine:
    """Carries packets between a TUN device and sessions."""

    def __init__(self, tun: TunDevice, loop: PacketLoop, policy: Policy, codec: Codec) -> None:
        self.tun = tun
        self.figures = Figures()
        self.sessions: dict[int, Session] = {}
        self._loop = loop
        self._policy = policy
        self._clock = loop.clock
        self.codec = codec
        self._frames = codec.frames()
        self._outbox = codec.outbox()
        self._inbox = codec.inbox(udp_offload=tun.udp_offload)
        self._from_udp = bytearray(_BUFFER_BYTES)
        self._from_udp_view = memoryview(self._from_udp)
        self._complained = -_COMPLAINT_INTERVAL_S
        loop.add_reader(tun.fd, self._read_tun)

    def add_socket(self, socket: UdpSocket) -> None:
        """Receive from `socket`."""
        self._loop.add_reader(socket.fileno(), lambda: self._read_udp(socket))

    def remove_socket(self, socket: UdpSocket) -> None:
        """Stop receiving from `socket`, which must still be open."""
        self._loop.remove_reader(socket.fileno())

    def add_session(self, session: Session) -> None:
        """Receive for `session`."""
        self.sessions[session.local_index] = session

    def remove_session(self, session: Session) -> None:
        """Forget `session`."""
        self.sessions.pop(session.local_index, None)

    def send_control(
        self, session: Session, kind: Type, body: bytes = b"", *, flags: int = 0, specific: int = 0
    ) -> None:
        """Send a control datagram through `session` at once."""
        datagram = session.sealer.control(kind, body, flags=flags, specific=specific)
        self.send_raw(session.socket, datagram, session.peer, session.local)

    def send_raw(
        self,
        socket: UdpSocket,
        datagram: bytes,
        peer: tuple[Any, ...] | None,
        local: bytes | None,
    ) -> None:
        """Send a datagram that is sealed already; one that cannot be sent counts as full."""
        try:
            if not socket.send_one(datagram, peer, local):
                self.figures.dropped(Drop.FULL)
        except OSError:
            self.figures.dropped(Drop.FULL)

    # -- from the TUN device to sessions

    def _read_tun(self) -> None:
        frames = self._frames
        now = self._clock()
        for _ in range(_READS_A_TURN):
            frames.read(self.tun.fd)
            if not frames.count:
                return
            self._route(now)

    def _route(self, now: float) -> None:
        """Send runs of frames for the same session together; a flow is looked up once."""
        frames = self._frames
        began, run = 0, None
        first = 0
        while first < frames.count:
            end = frames.group(first)
            session = self._select(frames.packet(first), end - first)
            if session is not run:
                if run is not None:
                    self._seal(run, began, first, now)
                began, run = first, session
            first = end
        if run is not None:
            self._seal(run, began, first, now)

    def _select(self, packet: memoryview, count: int) -> Session | None:
        destination = inner.destination(packet)
        if not inner.is_unicast(destination):
            return None
        session = self._policy.select(destination)
        if session is None:
            self.figures.dropped(Drop.NO_SESSION, count)
        return session

    def _seal(self, session: Session, first: int, end: int, now: float) -> None:
        session.last_data_sent = now
        figures, outbox = self.figures, self._outbox
        while first < end:
            outbox.clear()
            sealed = outbox.seal(session.sealer, self._frames, first, end)
            figures.tx_packets += sealed.packets
            figures.tx_bytes += sealed.bytes
            figures.batches += sealed.batches
            figures.batched_packets += sealed.batched
            if sealed.malformed:
                figures.dropped(Drop.MALFORMED, sealed.malformed)
            self._send_all(session)
            if sealed.next == first:
                figures.dropped(Drop.MALFORMED)
                first += 1
            else:
                first = sealed.next

    def _send_all(self, session: Session) -> None:
        send, data, figures = session.socket.send, self._outbox.view, self.figures
        for train in self._outbox.sends():
            count = -(-train.length // train.each)
            try:
                if send(data, train, session.peer, session.local):
                    figures.tx_datagrams += count
                else:
                    figures.dropped(Drop.FULL, count)
            except OSError:
                figures.dropped(Drop.FULL, count)

    # -- from UDP sockets to the TUN device

    def _read_udp(self, socket: UdpSocket) -> None:
        buffer, view = self._from_udp, self._from_udp_view
        for _ in range(_READS_A_TURN):
            try:
                length, each, ecn, peer, local = socket.receive_into(buffer)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error of something sent earlier
            if length:
                self._train(view[:length], _Origin(socket, peer or (), local, each, ecn))

    def _train(self, train: memoryview, origin: _Origin) -> None:
        """Open the datagrams of a train, usually all of one session."""
        each, end = origin.each, len(train)
        now = self._clock()
        start = 0
        while start < end:
            datagram = train[start : start + each]
            session = self._session_of(datagram, origin)
            if session is None:
                start += each
                continue
            opened = self._inbox.open(session.opener, train, each, start, origin.ecn)
            self._account(opened, origin)
            full, refused = self._inbox.write(self.tun.fd)
            if full:
                self.figures.dropped(Drop.FULL, full)
            if refused:
                self.figures.dropped(Drop.MALFORMED, refused)
            if opened.authentic:
                self._heard(session, opened, origin, now)
            start = opened.at
            if opened.stop is Stop.CONTROL:
                self._control(session, train[start : start + opened.size])
                start += each

    def _session_of(self, datagram: memoryview, origin: _Origin) -> Session | None:
        """Whose session this is; counts what belongs to none, and answers handshakes."""
        if len(datagram) < wire.OVERHEAD:
            self._refuse(Drop.MALFORMED)
            return None
        first, _, _, _, index, _, _ = wire.HEADER.unpack_from(datagram)
        kind = _TYPES.get(first & 0x0F)
        if first >> 4 != wire.VERSION or kind is None:
            self._refuse(Drop.MALFORMED)
            return None
        if kind in _HANDSHAKE_TYPES:
            self.figures.rx_datagrams += 1
            reason = self._policy.handshake(
                kind, bytes(datagram), origin.socket, origin.peer, origin.local
            )
            if reason is not None:
                self._drop(reason, origin.peer)
            return None
        session = self.sessions.get(index)
        if session is None:
            self._refuse(Drop.NO_SESSION)
        return session

    def _account(self, opened: Opened, origin: _Origin) -> None:
        figures = self.figures
        figures.rx_datagrams += opened.datagrams
        figures.rx_packets += opened.packets
        figures.rx_bytes += opened.bytes
        if any(opened.drops):
            for reason, count in zip(_OPENER_DROPS, opened.drops, strict=True):
                if count:
                    self._drop(reason, origin.peer, count)

    def _heard(self, session: Session, opened: Opened, origin: _Origin, now: float) -> None:
        session.last_received = now
        if session.peer is not None and opened.newest:
            session.peer, session.local = origin.peer, origin.local
        if not session.confirmed:
            session.confirmed = True
            self._policy.confirmed(session)
        if opened.data:
            session.last_data_received = now
            self._policy.delivered(session)

    def _control(self, session: Session, datagram: memoryview) -> None:
        first, flags, _, lane, _, sequence, specific = wire.HEADER.unpack_from(datagram)
        body = bytes(datagram[wire.HEADER_BYTES : len(datagram) - wire.TAG_BYTES])
        control = Control(_TYPES[first & 0x0F], flags, lane, sequence, specific, body)
        try:
            self._policy.control(session, control)
        except wire.Malformed:
            self._drop(Drop.MALFORMED)

    def _refuse(self, reason: Drop) -> None:
        self.figures.rx_datagrams += 1
        self._drop(reason)

    def _drop(self, reason: Drop, peer: tuple[Any, ...] = (), count: int = 1) -> None:
        self.figures.dropped(reason, count)
        now = self._clock()
        if reason is Drop.TAG and now - self._complained >= _COMPLAINT_INTERVAL_S:
            self._complained = now
            log.warning(
                "HMAC verification failed for a datagram from %s; %d so far",
                describe(peer),
                self.figures.drops[Drop.TAG],
            )


def describe(peer: tuple[Any, ...]) -> str:
    """`address:port` of a socket address, IPv4 shown as such."""
    if not peer:
        return "the connected peer"
    host = str(peer[0]).removeprefix("::ffff:")
    return f"[{host}]:{peer[1]}" if ":" in host else f"{host}:{peer[1]}"
