"""The packet engine: one TUN device, sessions over UDP sockets, and who decides about them."""

from __future__ import annotations

import errno
import logging
import math
from collections.abc import Callable
from contextlib import suppress
from typing import Protocol

from nrs.tunnel import inner, wire
from nrs.tunnel.address_text import describe
from nrs.tunnel.codec.carrier import (
    AUTHENTIC,
    BAD_TAG,
    DATA,
    DRAINED,
    ELSEWHERE,
    FRAMES_BYTES,
    MOST_FRAMES,
    STOP_MASK,
    WAITING,
    Frames,
    Intake,
    Path,
    Stop,
)
from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.codec.sieve import Sieved
from nrs.tunnel.control import Control
from nrs.tunnel.drop import Drop
from nrs.tunnel.figures import Figures
from nrs.tunnel.loop import PacketLoop
from nrs.tunnel.orders import (
    CloseSession,
    DoubtPath,
    DropCandidate,
    ForSession,
    LimitDatagrams,
    NoteSession,
    SendControl,
    SendTogether,
    SendTrain,
    TakeCandidate,
)
from nrs.tunnel.ratelimit import SourceLimiter
from nrs.tunnel.session import Session
from nrs.tunnel.session_memory import SessionMemory
from nrs.tunnel.strays import HANDLED, PAUSE_S, Strays
from nrs.tunnel.too_big import too_big
from nrs.tunnel.tun_device import DeviceGone, TunDevice
from nrs.tunnel.udp_socket import SocketAddress, UdpSocket
from nrs.tunnel.wire import Type

log = logging.getLogger(__name__)

_TURN_S = 0.003
"""How long one device or socket may keep the others and the timers waiting."""
_COMPLAINT_INTERVAL_S = 1.0
_ERRORS_A_SECOND, _ERRORS_AT_ONCE = 20, 20
"""ICMP errors to one sender inside (RFC 4443 section 2.4(f))."""
_HANDSHAKE_TYPES = frozenset({Type.HELLO, Type.HELLO_ACK, Type.RETRY, Type.NO_SESSION})
_TYPES = {int(kind): kind for kind in Type}
_LANE = 0
_MOST_TIMES = 3
"""What a candidate for a session's path has sent, it may be sent so often (RFC 9000 section 8)."""


class Routing(Protocol):
    """What decides on the packet path itself: called directly, for speed."""

    def select(self, flow: bytes, tcp_flags: int, now: float) -> int:
        """The session for packets of a flow (`inner.flow_key`) with these TCP flags; 0: none."""

    def delivered(self, index: int, now: float) -> None:
        """Packets have come out of a session."""


class Peers(Protocol):
    """Who is told of everything else that arrives."""

    def handshake(
        self,
        kind: Type,
        datagram: bytes,
        socket: UdpSocket,
        peer: SocketAddress,
        local: bytes | None,
    ) -> Drop | None:
        """A HELLO, HELLO_ACK, RETRY or NO_SESSION, not yet verified."""

    def unknown(
        self, datagram: bytes, socket: UdpSocket, peer: SocketAddress, local: bytes | None
    ) -> None:
        """A datagram of a session that is not known; its sender is not known either."""

    def control(self, session: Session, control: Control) -> None:
        """A verified control datagram. Raises wire.Malformed for one that makes no sense."""

    def confirmed(self, session: Session) -> None:
        """The session has received its first authentic datagram: the peer holds its keys."""

    def moved(self, session: Session) -> None:
        """The session's path has a candidate, or another one, or none any more."""


class Engine:
    """Carries packets between a TUN device and sessions."""

    def __init__(
        self,
        tun: TunDevice,
        loop: PacketLoop,
        routing: Routing,
        peers: Peers,
        codec: Codec,
        memory: SessionMemory | None = None,
        own: Callable[[bytes], bool] | None = None,
        strays: Strays | None = None,
    ) -> None:
        """`own`: whether packets of a flow for which there is no session are for the agent.

        `strays` reads the sockets of `add_strays`, where there are any.
        """
        self._own = own or (lambda _: False)
        self._strays = strays
        self.tun = tun
        self.memory = memory
        """Where sessions are kept for a later process, if at all."""
        self.sessions: dict[int, Session] = {}
        self.last_delivered = -math.inf
        """When packets last came out of a session, by the loop's clock."""
        self.codec = codec
        self._counted = Figures()
        self._loop = loop
        self._routing = routing
        self._peers = peers
        self._frames = codec.frames()
        self._again = codec.frames()
        self._outbox = codec.outbox()
        self._intake = codec.intake()
        self._inbox = codec.inbox(
            udp_offload=tun.udp_offload, sieve=None if strays is None else strays.sieve
        )
        self._told = SourceLimiter(rate=_ERRORS_A_SECOND, burst=_ERRORS_AT_ONCE)
        self._complained = -_COMPLAINT_INTERVAL_S
        loop.add_reader(tun.fd, self._read_tun)

    @property
    def figures(self) -> Figures:
        """What has been carried and dropped so far."""
        figures = self._counted.with_totals(self._outbox.totals, self._inbox.totals)
        strays = self._strays
        return figures if strays is None else figures.with_strays(strays.sifted, strays.left_out)

    def add_socket(self, socket: UdpSocket) -> None:
        """Receive from `socket`."""
        self._loop.add_reader(socket.fileno(), lambda: self._read_udp(socket))

    def add_strays(self, socket: UdpSocket, of: UdpSocket) -> None:
        """Receive what nobody known has sent from `socket`, as if it had come to `of`."""
        assert self._strays is not None
        strays = self._strays

        def listen() -> None:
            self._loop.add_reader(socket.fileno(), read)

        def read() -> None:
            self._read_strays(strays, socket, of)
            if strays.spent:
                self._loop.remove_reader(socket.fileno())
                self._loop.call_later(PAUSE_S, listen)

        listen()

    def remove_socket(self, socket: UdpSocket) -> None:
        """Stop receiving from `socket`, which must still be open."""
        self._loop.remove_reader(socket.fileno())

    def add_session(self, session: Session) -> None:
        """Receive for `session`."""
        self.sessions[session.local_index] = session
        if self._strays is not None:
            self._strays.sieve.know(session.local_index)

    def remove_session(self, session: Session) -> None:
        """Forget `session`, for good."""
        self.sessions.pop(session.local_index, None)
        if self._strays is not None:
            self._strays.sieve.part(session.local_index)
        session.forget()

    def carry_out(self, order: ForSession) -> None:
        """Do what is ordered of a session."""
        match order:
            case CloseSession(index):
                self.remove_session(self.sessions[index])
            case LimitDatagrams(index, longest, settled):
                self.sessions[index].limit(longest, settled=settled)
            case NoteSession(index, active, since):
                self.sessions[index].note(active=active, since=since)
            case SendTogether(index, allowed):
                self.sessions[index].send_together(allowed=allowed)
            case SendTrain():
                self._send_train(order)
            case TakeCandidate(index):
                self.sessions[index].take_candidate(self.codec)
            case DropCandidate(index):
                self.sessions[index].drop_candidate()
            case DoubtPath(index):
                self.sessions[index].doubt(self.codec)

    def send_control(self, order: SendControl) -> bool:
        """Send a control datagram at once; False where it may not be cut and is too long here."""
        session = self.sessions[order.index]
        datagram = session.sealer.control(
            order.kind, order.body, flags=order.flags, specific=order.specific
        )
        path = session.way(len(datagram), challenge=order.challenge)
        if path is None:
            self._counted.dropped(Drop.FULL)
        elif order.whole:
            return path.socket.send_whole(datagram, path.peer, path.local)
        else:
            self.send_raw(path.socket, datagram, path.peer, path.local)
        return True

    def _send_train(self, order: SendTrain) -> None:
        """Send control datagrams of a session in one send; what has no room is not missed."""
        session = self.sessions[order.datagrams[0].index]
        sealed = [
            session.sealer.control(one.kind, one.body, flags=one.flags, specific=one.specific)
            for one in order.datagrams
        ]
        train = memoryview(b"".join(sealed))
        path = session.way(len(train))
        with suppress(OSError):
            if path is not None:
                path.socket.send(train, (0, len(train), len(sealed[0]), 0), path.peer, path.local)

    def send_raw(
        self,
        socket: UdpSocket,
        datagram: bytes,
        peer: SocketAddress | None,
        local: bytes | None,
    ) -> None:
        """Send a datagram that is sealed already; one that cannot be sent counts as full."""
        try:
            if not socket.send_one(datagram, peer, local):
                self._counted.dropped(Drop.FULL)
        except OSError:
            self._counted.dropped(Drop.FULL)

    # -- from the TUN device to sessions

    def _read_tun(self) -> None:
        frames, fd = self._frames, self.tun.fd
        until = self._loop.now + _TURN_S
        try:
            while frames.read(fd):
                self._route()
                if self._loop.clock() > until:
                    return
        except OSError as error:
            if error.errno == errno.EBADFD:
                raise DeviceGone(self.tun.name) from None
            raise
        if frames.count:
            self._route()

    def _route(self) -> None:
        """Send runs of frames for the same session together; a flow is looked up once."""
        frames, select, sessions = self._frames, self._routing.select, self.sessions
        count, now = frames.count, self._loop.now
        began, run = 0, None
        first = 0
        while first < count:
            end, flow, tcp_flags = frames.flow(first)
            session = sessions.get(select(flow, tcp_flags, now)) if flow else None
            if session is None and flow and not self._own(flow):
                self._counted.dropped(Drop.NO_SESSION, end - first)
            if session is not run:
                if run is not None:
                    self._send(run, began, first)
                began, run = first, session
            first = end
        if run is not None:
            self._send(run, began, count)

    def _send(self, session: Session, first: int, end: int) -> None:
        now = session.last_data_sent = self._loop.now
        too_long = self._outbox.carry(session.sealer, session.path, self._frames, first, end)
        if too_long:
            self._refuse(session, self._frames, too_long)
        if session.sent is not None:
            frames = self._frames.copied_but_tcp(first, end)
            if frames:
                session.sent.keep(session.sealer.sequence, frames, now)

    def send_again(self, session: Session, frames: list[bytes]) -> None:
        """Send frames that another session has sent before: some at once, the rest by turns."""
        if self.sessions.get(session.local_index) is not session:
            return  # closed between two turns
        count = size = 0
        while count < min(len(frames), MOST_FRAMES) and size + len(frames[count]) <= FRAMES_BYTES:
            size += len(frames[count])
            count += 1
        self._again.load(frames[:count])
        now = session.last_data_sent = self._loop.now
        too_long = self._outbox.carry(session.sealer, session.path, self._again, 0, count)
        if too_long:
            self._refuse(session, self._again, too_long)
        if session.sent is not None:
            session.sent.keep(session.sealer.sequence, frames[:count], now)
        if count < len(frames):
            self._loop.call_later(0.0, lambda: self.send_again(session, frames[count:]))

    def _refuse(self, session: Session, frames: Frames, too_long: int) -> None:
        """Tell the senders of frames that their packets are too long for the path of a session."""
        for index in range(too_long.bit_length()):
            if not too_long >> index & 1:
                continue
            self._counted.dropped(Drop.TOO_LONG)
            packet = frames.packet(index)
            if self._told.allow(inner.source(packet), self._loop.now):
                error = too_big(packet, session.body)
                if error is not None:
                    self.tun.deliver(error)

    def tend(self) -> None:
        """Call it once a second."""
        self._inbox.age()

    # -- from UDP sockets to the TUN device

    def catch_up(self, socket: UdpSocket) -> bool:
        """Read what has arrived at a socket by now; whether that was all. Not while it is read."""
        self._loop.look()
        return self._read_udp(socket)

    def _read_udp(self, socket: UdpSocket) -> bool:
        """For a while; whether nothing is left."""
        until = self._loop.now + _TURN_S
        received = self._receive(socket)
        while received:
            more = self._loop.clock() < until
            state = self._deliver(socket, more) if received == Sieved.WORTH else 0
            if state & DRAINED or not more:
                return bool(state & DRAINED)
            received = Sieved.WORTH if state & WAITING else self._receive(socket)
        return True

    def _receive(self, socket: UdpSocket) -> int:
        if self._strays is None:
            return self._intake.receive(socket)
        return self._strays.read_known(socket, self._intake, self._loop.now)

    def _read_strays(self, strays: Strays, source: UdpSocket, socket: UdpSocket) -> None:
        """A few; there may be more."""
        wrong = strays.sifted.tag
        starts = strays.read(source, self._intake, self._loop.now)
        if strays.sifted.tag > wrong:
            self._complain(strays.sieve.wrong_peer)
        self._look_at(strays, starts, socket)

    def _look_at(self, strays: Strays, starts: list[int], socket: UdpSocket) -> None:
        """Handle those datagrams of a train; the rest of it is dropped and counted."""
        intake, at, left = self._intake, 0, HANDLED
        for start in starts:
            session = None
            if intake.datagram(start)[0] & 0x0F not in _HANDSHAKE_TYPES:
                session = self.sessions.get(intake.index_at(start))
            if session is not None:
                if start >= at:
                    at, _ = self._open(session, start, socket, None)
            elif left:
                left -= 1
                self._stray(intake, start, socket)
            else:
                strays.left_out += 1

    def _deliver(self, socket: UdpSocket, more: bool) -> int:
        """Open the datagrams of a train, usually all of one session; WAITING, DRAINED or 0.

        `more`: whether the trains after it may be received too.
        """
        intake, follow = self._intake, socket if more else None
        start, index = 0, intake.index
        while True:
            session = self.sessions.get(index)
            if session is not None:
                start, result = self._open(session, start, socket, follow)
                stop = result & STOP_MASK
                if stop == Stop.DONE:
                    return result
                if start >= intake.length:
                    return 0
                index = intake.index_at(start)
                if stop == Stop.CONTROL or index != session.local_index:
                    continue
            # Of no session, or a handshake that names one.
            if self._strays is not None:
                self._look_at(self._strays, self._strays.rest(intake, start), socket)
                return 0
            self._stray(intake, start, socket)
            start += intake.each
            if start >= intake.length:
                return 0
            index = intake.index_at(start)

    def _open(
        self, session: Session, start: int, socket: UdpSocket, follow: UdpSocket | None
    ) -> tuple[int, int]:
        """Open a session's datagrams from byte `start` of the train on.

        Where to go on in the train that is there then, and what `Inbox.carry` said.
        """
        intake, inbox, path, opener = self._intake, self._inbox, session.path, session.opener
        settled = path.candidate is None and session.socket is socket
        before = (0, 0) if settled else (opener.highest(_LANE), inbox.totals.replay)
        result = inbox.carry(opener, path, follow if settled else None, intake, start, self.tun.fd)
        stop, at = result & STOP_MASK, inbox.at
        end = at + intake.each if stop == Stop.CONTROL else at
        moved = False
        if result & ELSEWHERE or not settled:
            newest = settled or opener.highest(_LANE) > before[0]
            replayed = not settled and inbox.totals.replay > before[1]
            size = min(end, intake.length) - intake.start
            moved = self._find(session, socket, size if result & AUTHENTIC else 0, newest, replayed)
        if result & AUTHENTIC:
            self._heard(session, result)
        if moved:
            self._peers.moved(session)
        if result & BAD_TAG:
            self._complain(intake.peer)
        if stop == Stop.CONTROL:
            self._control(session, intake.datagram(at)[: inbox.size], socket)
        return end, result

    def _find(
        self, session: Session, socket: UdpSocket, size: int, newest: bool, replayed: bool
    ) -> bool:
        """Note where a session's datagrams came from; whether its candidate is another one.

        `size` bytes of them were opened with an authentic one among them.
        """
        path, came = session.path, (socket, self._intake.peer, self._intake.local)
        candidate = path.candidate
        if path.peer is None and candidate is None:
            return False  # a connected socket
        known = came == _place(candidate)
        if came == (session.socket, path.peer, path.local):
            if newest:
                path.dismiss()
                return candidate is not None
            if candidate is not None and replayed:
                # Copies came first from elsewhere, and the originals from here: it is here.
                candidate.challenges_only = True
            return False
        if newest and not known:
            candidate = session.consider(*came)
        if candidate is not None and (known or newest):
            candidate.left += _MOST_TIMES * size
        return newest and not known

    def _heard(self, session: Session, result: int) -> None:
        now = self._loop.now
        session.last_received = now
        if not session.confirmed:
            session.confirmed = True
            self._peers.confirmed(session)
        if result & DATA:
            session.last_data_received = self.last_delivered = now
            self._routing.delivered(session.local_index, now)

    def _stray(self, intake: Intake, start: int, socket: UdpSocket) -> None:
        """A datagram of no session: a handshake is answered, the rest is counted."""
        self._counted.rx_datagrams += 1
        datagram = intake.datagram(start)
        if len(datagram) < wire.LEAST_BYTES:
            self._counted.dropped(Drop.MALFORMED)
            return
        first, short = datagram[0], len(datagram) < wire.OVERHEAD
        kind = _TYPES.get(first & 0x0F)
        if kind is None or first >> 4 != wire.VERSION or (short and kind in _HANDSHAKE_TYPES):
            self._counted.dropped(Drop.MALFORMED)
        elif kind in _HANDSHAKE_TYPES:
            peer = intake.peer
            reason = self._peers.handshake(kind, bytes(datagram), socket, peer, intake.local)
            if reason is not None:
                self._counted.dropped(reason)
            if reason is Drop.TAG:
                self._complain(peer)
        else:
            self._counted.dropped(Drop.NO_SESSION)
            if short:  # than the answer would be
                return
            self._peers.unknown(bytes(datagram), socket, intake.peer, intake.local)

    def _control(self, session: Session, datagram: memoryview, socket: UdpSocket) -> None:
        try:
            came = socket, self._intake.peer, self._intake.local
            there = came == _place(session.path.candidate)
            control = Control.decode(bytes(datagram), session.cipher, from_candidate=there)
            self._peers.control(session, control)
        except wire.Malformed:
            self._counted.dropped(Drop.MALFORMED)

    def _complain(self, peer: SocketAddress) -> None:
        now = self._loop.now
        if now - self._complained >= _COMPLAINT_INTERVAL_S:
            self._complained = now
            log.warning(
                "HMAC verification failed for a datagram from %s; %d so far",
                describe(peer),
                self.figures.drops[Drop.TAG],
            )


def _place(path: Path | None) -> tuple[object, ...]:
    """What the datagrams have in common that come along a path."""
    return () if path is None else (path.socket, path.peer, path.local)
