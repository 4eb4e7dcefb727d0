"""The packet engine: one TUN device, sessions over UDP sockets, and an agent's policy."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Protocol

from nrs.tunnel import codec, inner, virtio, wire
from nrs.tunnel.codec import Part
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
_DATA_TYPES = frozenset({Type.DATA, Type.SEGMENT, Type.BATCH})
_HANDSHAKE_TYPES = frozenset({Type.HELLO, Type.HELLO_ACK})
_TYPES = {int(kind): kind for kind in Type}


class Policy(Protocol):
    """What an agent decides for its engine."""

    def select(self, destination: bytes) -> Session | None:
        """The session that a packet to `destination` (4 or 16 bytes) is sent through."""

    def allowed(self, session: Session, packet: Part) -> bool:
        """Whether a packet that came out of `session` may be delivered."""

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


class _Batch:
    """Small packets that wait, at most until the TUN queue is empty, for one datagram."""

    __slots__ = ("frames", "length")

    def __init__(self) -> None:
        self.frames: list[tuple[bytes, int, int]] = []
        self.length = 0


class Engine:
    """Carries packets between a TUN device and sessions."""

    def __init__(self, tun: TunDevice, loop: PacketLoop, policy: Policy) -> None:
        self.tun = tun
        self.figures = Figures()
        self.sessions: dict[int, Session] = {}
        self._loop = loop
        self._policy = policy
        self._clock = loop.clock
        self._from_tun = bytearray(_BUFFER_BYTES)
        self._from_udp = bytearray(_BUFFER_BYTES)
        self._batches: dict[Session, _Batch] = {}
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
        session.assembler = codec.Assembler(
            self._deliver,
            lambda packet: self._policy.allowed(session, packet),
            self.figures,
            udp_offload=self.tun.udp_offload,
        )

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

    def _deliver(self, parts: list[Part]) -> None:
        try:
            self.tun.write(parts)
        except BlockingIOError:
            self.figures.dropped(Drop.FULL)
        except OSError:
            self.figures.dropped(Drop.MALFORMED)

    # -- from the TUN device to sessions

    def _read_tun(self) -> None:
        buffer = self._from_tun
        view = memoryview(buffer)
        now = self._clock()
        try:
            for _ in range(_READS_A_TURN):
                length = self.tun.read_into(buffer)
                self._outbound(view[:length], now)
        except BlockingIOError:
            pass
        finally:
            for session, batch in self._batches.items():
                self._flush(session, batch)
            self._batches.clear()

    def _outbound(self, frame: memoryview, now: float) -> None:
        packet = frame[virtio.HEADER_BYTES :]
        destination = inner.destination(packet)
        if not inner.is_unicast(destination):
            return
        session = self._policy.select(destination)
        if session is None:
            self.figures.dropped(Drop.NO_SESSION)
            return
        session.last_data_sent = now
        flags, gso_type, _, _, start, offset = virtio.HEADER.unpack_from(frame)
        batch = self._batches.get(session)
        if gso_type:
            if batch is not None:
                self._flush(session, self._batches.pop(session))
            self._send_segments(session, frame, len(packet))
            return
        self.figures.tx_packets += 1
        self.figures.tx_bytes += len(packet)
        if not flags & virtio.NEEDS_CHECKSUM:
            start = offset = 0
        size = len(packet) + 2
        if size > wire.LARGEST_BODY or (start and not _derivable(packet, start, offset)):
            if batch is not None:
                self._flush(session, self._batches.pop(session))
            self._send(session, session.sealer.data(packet, start, offset))
            return
        if batch is None:
            batch = self._batches[session] = _Batch()
        elif batch.length + size > wire.LARGEST_BODY:
            self._flush(session, batch)
            batch = self._batches[session] = _Batch()
        batch.frames.append((bytes(packet), start, offset))
        batch.length += size

    def _send_segments(self, session: Session, frame: memoryview, length: int) -> None:
        try:
            for sealed in session.sealer.segments(frame):
                self.figures.tx_packets += len(sealed.parts) // 3
                self._send(session, sealed)
        except ValueError as error:
            log.debug("super-packet not carried: %s", error)
            self.figures.dropped(Drop.MALFORMED)
        self.figures.tx_bytes += length

    def _flush(self, session: Session, batch: _Batch) -> None:
        if len(batch.frames) == 1:
            packet, start, offset = batch.frames[0]
            self._send(session, session.sealer.data(packet, start, offset))
            return
        body = b"".join(codec.batch_entry(packet, start != 0) for packet, start, _ in batch.frames)
        self.figures.batches += 1
        self.figures.batched_packets += len(batch.frames)
        self._send(session, session.sealer.batch(body, len(batch.frames)))

    def _send(self, session: Session, sealed: codec.Sealed) -> None:
        count = len(sealed.parts) // 3
        try:
            if session.socket.send(sealed, session.peer, session.local):
                self.figures.tx_datagrams += count
            else:
                self.figures.dropped(Drop.FULL, count)
        except OSError:
            self.figures.dropped(Drop.FULL, count)

    # -- from UDP sockets to the TUN device

    def _read_udp(self, socket: UdpSocket) -> None:
        buffer = self._from_udp
        view = memoryview(buffer)
        for _ in range(_READS_A_TURN):
            try:
                length, each, peer, local = socket.receive_into(buffer)
            except BlockingIOError:
                return
            except OSError:
                continue  # an ICMP error of something sent earlier
            if length:
                self._train(view[:length], each, socket, peer or (), local)

    def _train(
        self,
        train: memoryview,
        each: int,
        socket: UdpSocket,
        peer: tuple[Any, ...],
        local: bytes | None,
    ) -> None:
        now = self._clock()
        touched: Session | None = None
        for offset in range(0, len(train), each):
            datagram = train[offset : offset + each]
            session = self._datagram(datagram, socket, peer, local, now)
            if touched is not None and session is not touched:
                touched.assembler.flush()
            touched = session
        if touched is not None:
            touched.assembler.flush()

    def _datagram(
        self,
        datagram: memoryview,
        socket: UdpSocket,
        peer: tuple[Any, ...],
        local: bytes | None,
        now: float,
    ) -> Session | None:
        """Open one datagram; the session it belongs to if it was authentic."""
        self.figures.rx_datagrams += 1
        if len(datagram) < wire.OVERHEAD:
            self._drop(Drop.MALFORMED)
            return None
        first, flags, _, lane, index, sequence, specific = wire.HEADER.unpack_from(datagram)
        kind = _TYPES.get(first & 0x0F)
        if first >> 4 != wire.VERSION or kind is None:
            self._drop(Drop.MALFORMED)
            return None
        if kind in _HANDSHAKE_TYPES:
            reason = self._policy.handshake(kind, bytes(datagram), socket, peer, local)
            if reason is not None:
                self._drop(reason, peer)
            return None
        session = self.sessions.get(index)
        if session is None:
            self._drop(Drop.NO_SESSION)
            return None
        reason = session.opener.verify(datagram, lane, sequence)
        if reason is not None:
            self._drop(reason, peer)
            return None
        session.last_received = now
        if session.peer is not None and sequence == session.opener.windows[lane].highest:
            session.peer, session.local = peer, local
        if not session.confirmed:
            session.confirmed = True
            self._policy.confirmed(session)
        body = datagram[wire.HEADER_BYTES : len(datagram) - wire.TAG_BYTES]
        if kind not in _DATA_TYPES:
            session.assembler.flush()
            control = Control(kind, flags, lane, sequence, specific, bytes(body))
            try:
                self._policy.control(session, control)
            except wire.Malformed:
                self._drop(Drop.MALFORMED)
            return session
        session.last_data_received = now
        if kind is Type.SEGMENT:
            reason = session.assembler.segment(body, flags, specific)
        elif kind is Type.BATCH:
            reason = session.assembler.batch(body)
        else:
            reason = session.assembler.data(body, flags, specific)
        if reason is not None:
            self._drop(reason)
        return session

    def _drop(self, reason: Drop, peer: tuple[Any, ...] = ()) -> None:
        self.figures.dropped(reason)
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


def _derivable(packet: memoryview, start: int, offset: int) -> bool:
    """Whether a receiver finds the partial checksum of a BATCH entry by itself."""
    protocol, at = inner.transport(packet)
    return at == start and inner.CHECKSUM_OFFSET.get(protocol) == offset
