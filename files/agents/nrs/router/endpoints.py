"""The endpoints as the packet path sees them: what arrives goes to `RouterMachine`, and what it
orders is done.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

from nrs.router.announcer import Announcer
from nrs.router.config import RoutingServerConfig
from nrs.router.listening import Port
from nrs.router.machine import RouterMachine
from nrs.router.orders import (
    AddRoutes,
    Announce,
    Answer,
    AskCandidates,
    AskHolders,
    JoinAt,
    Order,
    RemoveRoutes,
    Report,
)
from nrs.router.session_index import begins, divider
from nrs.system.route_keeper import RouteKeeper
from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.codec.sealing import Check
from nrs.tunnel.control import Control
from nrs.tunnel.drop import Drop
from nrs.tunnel.engine import Engine
from nrs.tunnel.loop import PacketLoop
from nrs.tunnel.orders import ForSession, OpenSession, Refuse, SendControl, Tell
from nrs.tunnel.session import Session, open_session, resume_session
from nrs.tunnel.session_memory import SessionMemory, Slot
from nrs.tunnel.strays import Strays
from nrs.tunnel.tun_device import TunDevice
from nrs.tunnel.udp_socket import SocketAddress, UdpSocket
from nrs.tunnel.wire import Type

log = logging.getLogger(__name__)


class _Came(NamedTuple):
    """How the datagram that is being handled has come."""

    socket: UdpSocket
    peer: SocketAddress
    local: bytes | None


class Endpoints:
    """The engine between a TUN device and UDP sockets, and who decides about its sessions."""

    def __init__(
        self,
        machine: RouterMachine,
        loop: PacketLoop,
        tun: TunDevice,
        ports: Sequence[Port],
        codec: Codec,
        memory: SessionMemory | None,
        routes: RouteKeeper,
        report: Callable[[], None],
        own: Callable[[bytes], bool] | None = None,
        wall: Callable[[], float] = time.time,
    ) -> None:
        """`report` has the load balancers told at once; `own` is the engine's."""
        self._machine = machine
        self._loop = loop
        self._ports = {port.sessions.port: port for port in ports}
        self._first = ports[0].sessions
        """For sessions of a port where nobody listens any more, until they come in elsewhere."""
        self._routes = routes
        self._report = report
        self._wall = wall
        self._announcer = Announcer(loop, self._announce_next)
        self._sieve = codec.sieve()
        self._sieve.hold(machine.keys)
        strays = Strays(self._sieve)
        self.engine = Engine(tun, loop, machine, self, codec, memory, own, strays)
        for port in ports:
            self.engine.add_socket(port.sessions)
            self.engine.add_strays(port.strays, port.sessions)

    def resume(self) -> None:
        """Go on with the sessions of an earlier process."""
        found = sorted(self.engine.memory or (), key=lambda entry: entry[1].created)
        for slot, record in found:
            orders: list[Order] = []
            if self._first.can_reach(slot.peer[0]):
                orders = self._machine.resume(record, slot.progress, self._loop.clock())
            if not orders:
                slot.release()
            self.carry_out(orders, slot)
        self._divide()
        if found:
            log.info(
                "%d of %d sessions of an earlier run go on", len(self.engine.sessions), len(found)
            )

    def _divide(self) -> None:
        """Not while there are sessions of a release whose indices begin as they like."""
        first = self._machine.beginning
        if first is None or not all(begins(index, first) for index in self.engine.sessions):
            return
        for port in self._ports.values():
            port.sessions.divide(divider(first))

    def configure(self, config: RoutingServerConfig) -> None:
        """Go by another configuration."""
        self.carry_out(self._machine.handle_config(config))
        self._sieve.hold(self._machine.keys)

    def close(self) -> None:
        """Send nothing any more."""
        self._announcer.close()

    # -- what arrives

    def handshake(
        self,
        kind: Type,
        datagram: bytes,
        socket: UdpSocket,
        peer: SocketAddress,
        local: bytes | None,
    ) -> Drop | None:
        """A HELLO; a router gets no other kind."""
        if kind is not Type.HELLO:
            return Drop.MALFORMED
        now, began = self._loop.now, self._loop.clock()
        orders = self._machine.handle_hello(datagram, peer, now, self.engine.sessions)
        refused = self.carry_out(orders, _Came(socket, peer, local))
        self._machine.note_handshake(self._loop.clock() - began, now)
        return refused

    def unknown(
        self, datagram: bytes, socket: UdpSocket, peer: SocketAddress, local: bytes | None
    ) -> None:
        """A datagram of a session that is not known."""
        orders = self._machine.handle_unknown(datagram, peer, self._loop.now)
        self.carry_out(orders, _Came(socket, peer, local))

    def confirmed(self, session: Session) -> None:
        """The first authentic datagram of `session` has arrived."""
        index, peer = session.local_index, session.peer or ()
        now = self._loop.now
        self.carry_out(self._machine.handle_confirmed(index, peer, now, self._wall()))

    def moved(self, session: Session) -> None:
        """Its datagrams come from elsewhere, or no longer."""
        index, somewhere = session.local_index, session.path.candidate is not None
        self.carry_out(self._machine.handle_moved(index, self._loop.now, elsewhere=somewhere))

    def control(self, session: Session, control: Control) -> None:
        """A verified control datagram. Raises wire.Malformed."""
        highest = session.opener.highest(control.lane)
        received = session.opener.received(control.lane)
        index, now = session.local_index, self._loop.now
        port = session.socket.port
        self.carry_out(self._machine.handle_control(index, control, highest, received, port, now))

    # -- what is ordered

    def carry_out(self, orders: Iterable[Order], source: _Came | Slot | None = None) -> Drop | None:
        """Do it all; why what has come from `source` is dropped, if it is."""
        refused: Drop | None = None
        engine = self.engine
        for order in orders:
            match order:
                case SendControl():
                    engine.send_control(order)
                case JoinAt(port, allowed):
                    for socket in self._ports[port]:
                        socket.join(allowed=allowed)
                case Answer(datagram) if isinstance(source, _Came):
                    engine.send_raw(source.socket, datagram, source.peer, source.local)
                case OpenSession() if source is not None:
                    engine.add_session(self._opened(order, source))
                case AddRoutes(prefixes):
                    self._routes.add(prefixes)
                case RemoveRoutes(prefixes):
                    self._routes.remove(prefixes)
                case Announce():
                    self._announcer.begin()
                case AskHolders(when):
                    self._loop.call_at(when, self._ask_holders)
                case AskCandidates(when):
                    self._loop.call_at(when, self._ask_candidates)
                case Report():
                    self._report()
                case Refuse(reason):
                    refused = reason
                case Tell(level, text):
                    log.log(level, "%s", text)
                case _ if isinstance(order, ForSession):
                    engine.carry_out(order)
        return refused

    def _ask_holders(self) -> None:
        self.carry_out(self._machine.ask_holders(self._loop.now))

    def _ask_candidates(self) -> None:
        self.carry_out(self._machine.ask_candidates(self._loop.now))

    def _opened(self, order: OpenSession, source: _Came | Slot) -> Session:
        codec, record, key = self.engine.codec, order.record, order.key
        if isinstance(source, Slot):
            now, port = self._loop.clock(), self._ports.get(source.port)
            socket = self._first if port is None else port.sessions
            return resume_session(codec, source, record, key, Check.SOURCE, socket, now)
        return open_session(
            codec,
            self.engine.memory,
            record,
            key,
            Check.SOURCE,
            source.socket,
            peer=source.peer,
            local=source.local,
        )

    def _announce_next(self) -> bool:
        orders = self._machine.announce_next(self._loop.now, self.engine.sessions)
        self.carry_out(orders or ())
        return orders is not None
