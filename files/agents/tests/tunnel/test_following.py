"""A session answers from the socket that it came in at last, as it does to the address."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import cast

import pytest

from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.codec.sealing import Check
from nrs.tunnel.control import Control
from nrs.tunnel.drop import Drop
from nrs.tunnel.engine import Engine
from nrs.tunnel.loop import PacketLoop
from nrs.tunnel.orders import SendControl
from nrs.tunnel.session import Session
from nrs.tunnel.tun_device import TunDevice
from nrs.tunnel.udp_socket import SocketAddress, UdpSocket
from nrs.tunnel.wire import Type
from tests.tunnel.carrying import INDEX, KEY, OWNED, plain
from tests.tunnel.codecs import CODECS
from tests.tunnel.fakes import FakeLoop, FakeTun
from tests.tunnel.packets import udp_packet

HERE = "127.0.0.1"


class Pair:
    """A router with two sockets and one session, and the other end of that."""

    def __init__(self, codec: Codec, opened: ExitStack) -> None:
        self._opened = opened
        self._loop, self.tun = FakeLoop(), FakeTun()
        opened.callback(self.tun.close)
        self.first, self.second = self._socket(), self._socket()
        self.far = self._socket()
        self.engine = Engine(
            cast(TunDevice, self.tun), cast(PacketLoop, self._loop), self, self, codec
        )
        for socket in (self.first, self.second):
            self.engine.add_socket(socket)
        self.session = Session(
            local_index=INDEX,
            sealer=codec.sealer(KEY, 9),
            opener=codec.opener(KEY, INDEX, OWNED, Check.SOURCE),
            owned=OWNED,
            socket=self.first,
            created=0.0,
            path=codec.path(self.first, (HERE, self.far.port), None),
        )
        self.engine.add_session(self.session)
        self._sealer = codec.sealer(KEY, INDEX)
        self._frames, self._outbox = codec.frames(), codec.outbox()
        self._codec = codec

    def _socket(self) -> UdpSocket:
        made = UdpSocket(HERE, 0)
        self._opened.callback(made.close)
        return made

    # What an engine asks and tells.

    def select(self, flow: bytes, tcp_flags: int, now: float) -> int:
        return INDEX

    def delivered(self, index: int, now: float) -> None: ...

    def confirmed(self, session: Session) -> None: ...

    def handshake(self, *_: object) -> Drop | None:
        return None

    def unknown(self, *_: object) -> None: ...

    def control(self, session: Session, control: Control) -> None:
        self.engine.send_control(SendControl(session.local_index, Type.PROBE_ACK, b"x" * 40))

    # What the other end does.

    def sealed(self) -> bytes:
        return self._sealer.control(Type.PROBE, bytes(24))

    def say(self, datagram: bytes, to: UdpSocket) -> int:
        """Let it arrive; the port that the answer comes from, 0 where there is none."""
        self.far.send_one(datagram, (HERE, to.port))
        self.arrive(to)
        intake = self._codec.intake()
        return int(intake.peer[1]) if intake.receive(self.far) == 1 else 0

    def arrive(self, at: UdpSocket) -> None:
        self._loop.readers[at.fileno()]()

    def packet(self, to: UdpSocket) -> None:
        self._frames.load([plain(udp_packet(b"x"))])
        peer: SocketAddress = (HERE, to.port)
        self._outbox.carry(self._sealer, self._codec.path(self.far, peer, None), self._frames, 0, 1)
        self.arrive(to)


@pytest.fixture(params=CODECS, ids=lambda codec: codec.name)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with ExitStack() as opened:
        yield Pair(request.param, opened)


def test_the_answer_leaves_from_the_port_that_was_asked(pair: Pair) -> None:
    for socket in (pair.first, pair.second, pair.second, pair.first):
        assert pair.say(pair.sealed(), socket) == socket.port
        assert pair.session.socket is socket
        assert pair.session.path.peer == (HERE, pair.far.port)


def test_a_packet_moves_it_too(pair: Pair) -> None:
    pair.packet(pair.second)
    assert pair.session.socket is pair.second
    assert len(pair.tun.take()) == 1


def test_what_was_overtaken_or_is_repeated_or_forged_moves_nothing(pair: Pair) -> None:
    late, first = pair.sealed(), pair.sealed()
    assert pair.say(first, pair.first) == pair.first.port
    assert pair.say(late, pair.second) == pair.first.port
    assert pair.say(first, pair.second) == 0
    forged = bytearray(pair.sealed())
    forged[-1] ^= 1
    assert pair.say(bytes(forged), pair.second) == 0
    assert pair.session.socket is pair.first


def test_it_goes_on_without_trains_where_they_do_not_arrive(pair: Pair) -> None:
    pair.session.send_together(allowed=False)
    pair.packet(pair.second)
    assert not pair.session.together
    path = pair.session.path
    assert not getattr(path, "together", False)
    assert not getattr(getattr(path, "handle", None), "segmentation", False)
