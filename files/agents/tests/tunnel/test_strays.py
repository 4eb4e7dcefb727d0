"""What strangers send to a router's sockets, and what sessions bring beside it."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from typing import cast

import pytest

from nrs.tunnel import keys, strays, wire
from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.codec.sealing import Check
from nrs.tunnel.control import Control
from nrs.tunnel.drop import Drop
from nrs.tunnel.engine import Engine
from nrs.tunnel.handshake import Initiator, StaticKey
from nrs.tunnel.loop import PacketLoop
from nrs.tunnel.session import Session
from nrs.tunnel.strays import Strays
from nrs.tunnel.tun_device import TunDevice
from nrs.tunnel.udp_socket import UdpSocket
from nrs.tunnel.wire import Cipher, Probe, Type
from tests.router.driven import CLAIM
from tests.tunnel.carrying import INDEX, KEY, OWNED, pktinfo, plain
from tests.tunnel.codecs import CODECS
from tests.tunnel.fakes import FakeLoop, FakeTun
from tests.tunnel.packets import udp_packet

HERE = "127.0.0.1"
PSK = bytes(range(32))


class Router:
    """Its sockets, with one session, whose peer and a stranger send to them."""

    def __init__(self, codec: Codec, opened: ExitStack) -> None:
        self.loop, self.tun = FakeLoop(), FakeTun()
        opened.callback(self.tun.close)
        sockets = [UdpSocket(HERE, 0) for _ in range(4)]
        for socket in sockets:
            opened.callback(socket.close)
        self.sessions, self.strays, self.peer, self.stranger = sockets
        sieve = codec.sieve()
        sieve.hold({0: PSK})
        self.engine = Engine(
            cast(TunDevice, self.tun),
            cast(PacketLoop, self.loop),
            self,
            self,
            codec,
            strays=Strays(sieve),
        )
        self.engine.add_socket(self.sessions)
        self.engine.add_strays(self.strays, self.sessions)
        self.codec = codec
        self.session = self.add(INDEX)
        self.when_confirmed: Callable[[], object] = lambda: None
        self._sealer = codec.sealer(KEY, INDEX)
        self.probes = 0
        self.unknowns: list[UdpSocket] = []
        self.hellos: list[UdpSocket] = []

    def add(self, index: int) -> Session:
        """A session of the peer's."""
        session = Session(
            local_index=index,
            sealer=self.codec.sealer(KEY, 9),
            opener=self.codec.opener(KEY, index, OWNED, Check.SOURCE),
            owned=OWNED,
            socket=self.sessions,
            created=0.0,
            path=self.codec.path(self.sessions, (HERE, self.peer.port), pktinfo(HERE)),
        )
        self.engine.add_session(session)
        return session

    # What an engine asks and tells.

    def select(self, flow: bytes, tcp_flags: int, now: float) -> int:
        return INDEX

    def delivered(self, index: int, now: float) -> None: ...

    def confirmed(self, session: Session) -> None:
        self.when_confirmed()

    def moved(self, session: Session) -> None: ...

    def handshake(self, kind: Type, datagram: bytes, socket: UdpSocket, *_: object) -> Drop | None:
        self.hellos.append(socket)
        return None

    def unknown(self, datagram: bytes, socket: UdpSocket, *_: object) -> None:
        self.unknowns.append(socket)

    def control(self, session: Session, control: Control) -> None:
        self.probes += 1

    # What others do.

    def probe(self) -> bytes:
        """The peer's next datagram."""
        return self._sealer.control(Type.PROBE, Probe(1, Cipher.NONE.safe_body).encode())

    def send(self, train: list[bytes], to: UdpSocket, by: UdpSocket | None = None) -> None:
        """Datagrams of one length, which arrive together."""
        sender, there = by or self.stranger, (HERE, to.port)
        whole = memoryview(b"".join(train))
        assert sender.send(whole, (0, len(whole), len(train[0]), 0), there) == len(train)

    def packet(self) -> None:
        """One of the peer's."""
        frames = self.codec.frames()
        frames.load([plain(udp_packet(b"x"))])
        path = self.codec.path(self.peer, (HERE, self.sessions.port), None)
        self.codec.outbox().carry(self._sealer, path, frames, 0, 1)

    def arrive(self, at: UdpSocket) -> None:
        """A turn of the loop, some time later."""
        while self.loop.timers:
            self.loop.timers.pop()[1]()
        self.loop.readers[at.fileno()]()

    @property
    def drops(self) -> dict[Drop, int]:
        """Those that there are."""
        return {why: count for why, count in self.engine.figures.drops.items() if count}


@pytest.fixture(params=CODECS, ids=lambda codec: codec.name)
def router(request: pytest.FixtureRequest) -> Iterator[Router]:
    with ExitStack() as opened:
        yield Router(request.param, opened)


def datagram(index: int, like: bytes) -> bytes:
    """Of no key."""
    header = wire.HEADER.pack(wire.first_byte(Type.DATA), 0, 0, 0, index, 1, 0)
    return header + os.urandom(len(like) - len(header))


def hello(psk: bytes = PSK) -> bytes:
    return Initiator(StaticKey(psk), CLAIM, 7, os.urandom).hello()


@pytest.mark.parametrize("at", ["sessions", "strays"])
def test_few_of_those_without_a_session_are_answered(router: Router, at: str) -> None:
    socket: UdpSocket = getattr(router, at)
    like = router.probe()
    for _ in range(300):
        router.send([datagram(INDEX + 1, like)], socket)
    for _ in range(300):
        router.arrive(socket)
    assert len(router.unknowns) == strays._ANSWERED
    assert set(router.unknowns) == {router.sessions}
    assert router.drops == {Drop.NO_SESSION: 300}
    assert router.engine.figures.rx_datagrams == 300
    router.loop.clock.now += 0.1
    router.send([datagram(INDEX + 1, like)], socket)
    router.arrive(socket)
    assert len(router.unknowns) == strays._ANSWERED + 1


def test_a_turn_at_strangers_takes_so_many_and_no_more(router: Router) -> None:
    for _ in range(200):
        router.send([hello(bytes(32))], router.strays)
    router.arrive(router.strays)
    assert router.drops == {Drop.TAG: 64}
    assert router.strays.fileno() not in router.loop.readers, "others have the processor"
    assert [when for when, _ in router.loop.timers] == [router.loop.now + strays.PAUSE_S]
    router.arrive(router.strays)
    assert router.drops == {Drop.TAG: 128}


def test_handshakes_take_no_pause(router: Router) -> None:
    for _ in range(3):
        router.send([hello()], router.strays)
        router.arrive(router.strays)
    assert len(router.hellos) == 3
    assert router.loop.timers == []


def test_of_a_train_of_hellos_few_are_handled(router: Router) -> None:
    router.send([hello()] * 40, router.strays)
    router.arrive(router.strays)
    assert router.hellos == [router.sessions] * 8
    assert router.drops == {Drop.RATE: 32}


def test_a_session_goes_on_where_strangers_come_in(router: Router) -> None:
    router.send([router.probe()], router.strays, router.peer)
    router.arrive(router.strays)
    assert router.probes == 1
    assert router.session.socket is router.sessions
    assert router.drops == {}


def test_all_that_a_session_sends_at_once_is_taken_where_strangers_come_in(router: Router) -> None:
    router.send([router.probe() for _ in range(20)], router.strays, router.peer)
    router.arrive(router.strays)
    assert router.probes == 20
    assert router.drops == {}
    assert router.engine.figures.rx_datagrams == 20


@pytest.mark.parametrize("kind", [Type.HELLO, Type.HELLO_ACK, Type.NO_SESSION])
@pytest.mark.parametrize("first", [True, False])
def test_handshakes_that_name_a_session_are_held_against_the_keys(
    router: Router, kind: Type, *, first: bool
) -> None:
    forged = bytearray(hello(bytes(32)))
    forged[0] = wire.first_byte(kind)
    forged[4:8] = INDEX.to_bytes(4, "big")
    others = [] if first else [datagram(INDEX, bytes(forged))]
    router.send([*others, *[bytes(forged)] * 39], router.sessions)
    router.arrive(router.sessions)
    assert router.hellos == []
    wrong = Drop.TAG if kind is Type.HELLO else Drop.MALFORMED
    expected = {wrong: 39}
    if not first:
        expected[Drop.TAG] = expected.get(Drop.TAG, 0) + 1
    assert router.drops == expected


def test_a_hello_that_names_a_session_is_handled_as_one(router: Router) -> None:
    named = bytearray(hello()[: -wire.TAG_BYTES])
    named[4:8] = INDEX.to_bytes(4, "big")
    signed = bytes(named) + keys.hello_key(PSK).tag(bytes(named))
    router.send([datagram(INDEX, signed), signed, signed], router.sessions)
    router.arrive(router.sessions)
    assert len(router.hellos) == 2
    router.send([signed], router.strays)
    router.arrive(router.strays)
    assert len(router.hellos) == 3


def test_strangers_between_a_sessions_trains_do_not_stop_them(router: Router) -> None:
    for _ in range(5):
        router.send([router.probe()], router.sessions, router.peer)
        router.send([datagram(INDEX + 1, router.probe())], router.sessions)
    router.arrive(router.sessions)
    assert router.probes == 5
    assert router.drops == {Drop.NO_SESSION: 5}


def test_nothing_is_handled_of_a_session_that_ends_while_its_train_waits(router: Router) -> None:
    another = router.add(INDEX + 5)
    router.when_confirmed = lambda: router.engine.remove_session(another)
    router.send([datagram(INDEX + 1, router.probe())], router.sessions)
    router.packet()
    router.send([datagram(another.local_index, router.probe())], router.sessions, router.peer)
    router.arrive(router.sessions)
    assert len(router.tun.take()) == 1
    assert len(router.unknowns) == 2
    assert router.engine.figures.rx_datagrams == 3


def test_strangers_within_a_sessions_train_do_not_either(router: Router) -> None:
    one, other = router.probe(), router.probe()
    junk = [datagram(INDEX + 1, one) for _ in range(30)]
    router.send([one, *junk, other], router.sessions, router.peer)
    router.arrive(router.sessions)
    assert router.probes == 2
    assert len(router.unknowns) == 1
    assert router.drops == {Drop.NO_SESSION: 30}
    assert router.engine.figures.rx_datagrams == 32


def wrong(router: Router, count: int, by: UdpSocket) -> None:
    """The session's datagrams without its key."""
    like = router.probe()
    for _ in range(count // 50):
        router.send([datagram(INDEX, like) for _ in range(50)], router.sessions, by)
    router.arrive(router.sessions)


def test_wrong_tags_from_elsewhere_are_not_looked_at_for_long(router: Router) -> None:
    most = strays._WRONG
    wrong(router, most + 500, router.stranger)
    assert router.drops == {Drop.TAG: most, Drop.RATE: 500}
    router.send([router.probe()], router.sessions, router.peer)
    router.arrive(router.sessions)
    assert router.probes == 1
    router.send([router.probe()], router.sessions, router.stranger)
    router.arrive(router.sessions)
    assert router.probes == 1, "not opened, as the peer is elsewhere"
    router.loop.clock.now += 0.1
    router.send([router.probe()], router.sessions, router.stranger)
    router.arrive(router.sessions)
    assert router.probes == 2
    candidate = router.session.path.candidate
    assert candidate is not None
    assert candidate.peer == (HERE, router.stranger.port)
    # Or else who floods could keep it from being validated.
    with closing(UdpSocket(HERE, 0)) as other:
        wrong(router, most + 500, other)
    assert router.drops[Drop.RATE] == 500 + 1 + 500
    router.send([router.probe()], router.sessions, router.stranger)
    router.arrive(router.sessions)
    assert router.probes == 3


def test_replays_from_elsewhere_are_not_looked_at_for_long(router: Router) -> None:
    most = strays._WRONG
    recorded = router.probe()
    router.send([recorded], router.sessions, router.peer)
    for _ in range(most // 50 + 2):
        router.send([recorded] * 50, router.sessions)
    router.arrive(router.sessions)
    assert router.drops == {Drop.REPLAY: most, Drop.RATE: 100}
    assert router.session.path.peer == (HERE, router.peer.port)


def test_wrong_tags_from_the_peers_address_are_looked_at(router: Router) -> None:
    most = strays._WRONG
    wrong(router, most + 500, router.peer)
    assert router.drops == {Drop.TAG: most + 500}
