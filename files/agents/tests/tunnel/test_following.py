"""A session follows its peer to another address or port once that is validated, and no further.

Meanwhile three times the bytes that came from there may go there (RFC 9000 section 8).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from typing import cast

import pytest

from nrs.tunnel import wire
from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.codec.sealing import Check
from nrs.tunnel.control import Control
from nrs.tunnel.drop import Drop
from nrs.tunnel.engine import Engine
from nrs.tunnel.loop import PacketLoop
from nrs.tunnel.orders import (
    DoubtPath,
    DropCandidate,
    SendControl,
    SendTrain,
    TakeCandidate,
)
from nrs.tunnel.session import Session
from nrs.tunnel.tun_device import TunDevice
from nrs.tunnel.udp_socket import SocketAddress, UdpSocket
from nrs.tunnel.wire import Type
from tests.tunnel.carrying import INDEX, KEY, OWNED, pktinfo, plain
from tests.tunnel.codecs import CODECS
from tests.tunnel.fakes import FakeLoop, FakeTun
from tests.tunnel.packets import UDP, SuperPacket, noise, udp_packet

HERE = "127.0.0.1"
WHOLE = SuperPacket(UDP, noise(6000), 1000)
EACH = 1000 + 28 + wire.OVERHEAD
"""Bytes of each of the six datagrams that it makes, whose headers are IPv4's and UDP's."""
ANSWER = 40 + wire.OVERHEAD


class Pair:
    """A router with two sockets and one session; its peer, and who is elsewhere."""

    def __init__(self, codec: Codec, opened: ExitStack) -> None:
        self._opened = opened
        self._loop, self.tun = FakeLoop(), FakeTun()
        opened.callback(self.tun.close)
        self.first, self.second = self._socket(), self._socket()
        self.far, self.elsewhere = self._socket(), self._socket()
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
            path=codec.path(self.first, (HERE, self.far.port), pktinfo(HERE)),
        )
        self.engine.add_session(self.session)
        self._sealer = codec.sealer(KEY, INDEX)
        self._frames, self._outbox = codec.frames(), codec.outbox()
        self._codec = codec
        self.answers = False
        self.moves: list[int | None] = []
        """Of each call, the port of the candidate that there was."""
        self.heard: list[bool] = []
        """Whether each control datagram came from the candidate."""

    def _socket(self) -> UdpSocket:
        made = UdpSocket(HERE, 0)
        self._opened.callback(made.close)
        return made

    # What an engine asks and tells.

    def select(self, flow: bytes, tcp_flags: int, now: float) -> int:
        return INDEX

    def delivered(self, index: int, now: float) -> None: ...

    def confirmed(self, session: Session) -> None: ...

    def moved(self, session: Session) -> None:
        candidate = session.path.candidate
        self.moves.append(None if candidate is None else (candidate.peer or (0, 0))[1])

    def handshake(self, *_: object) -> Drop | None:
        return None

    def unknown(self, *_: object) -> None: ...

    def control(self, session: Session, control: Control) -> None:
        self.heard.append(control.from_candidate)
        if self.answers:
            self.answer()

    # What the router does.

    def answer(self, *, challenge: bool = False) -> None:
        order = SendControl(INDEX, Type.PROBE_ACK, bytes(40), challenge=challenge)
        self.engine.send_control(order)

    def send(self, frame: bytes) -> None:
        """What its TUN device has for the session."""
        self.tun.send(frame)
        self._loop.readers[self.tun.fd]()

    # What the other end does.

    def sealed(self, size: int = 40) -> bytes:
        return self._sealer.control(Type.PROBE, bytes(size))

    def say(self, datagram: bytes, to: UdpSocket, by: UdpSocket | None = None) -> None:
        (by or self.far).send_one(datagram, (HERE, to.port))
        self._loop.readers[to.fileno()]()

    def packets(self, to: UdpSocket, *by: UdpSocket) -> None:
        """One from each of these, which are all there when the router looks."""
        for one in by:
            self._packet(to, one)
        self._loop.readers[to.fileno()]()

    def together(self, datagrams: list[bytes], to: UdpSocket, by: UdpSocket) -> None:
        """A train."""
        whole = memoryview(b"".join(datagrams))
        by.send(whole, (0, len(whole), len(datagrams[0]), 0), (HERE, to.port))
        self._loop.readers[to.fileno()]()

    def _packet(self, to: UdpSocket, by: UdpSocket) -> None:
        self._frames.load([plain(udp_packet(b"x"))])
        peer: SocketAddress = (HERE, to.port)
        self._outbox.carry(self._sealer, self._codec.path(by, peer, None), self._frames, 0, 1)

    def arrived(self, at: UdpSocket) -> list[tuple[int, int, int]]:
        """What came there: sequence number, bytes, and the port that it came from."""
        intake, found = self._codec.intake(), []
        while intake.receive(at) == 1:
            for start in range(0, intake.length, intake.each):
                datagram = intake.datagram(start)
                sequence = int.from_bytes(datagram[8:16], "big")
                found.append((sequence, len(datagram), int(intake.peer[1])))
        return found


@pytest.fixture(params=CODECS, ids=lambda codec: codec.name)
def pair(request: pytest.FixtureRequest) -> Iterator[Pair]:
    with ExitStack() as opened:
        yield Pair(request.param, opened)


def bytes_of(arrived: list[tuple[int, int, int]]) -> int:
    return sum(size for _, size, _ in arrived)


def test_three_times_what_came_goes_there_and_the_rest_to_where_it_went_before(pair: Pair) -> None:
    came = 2 * EACH  # 6 datagrams of packets
    pair.say(pair.sealed(came - wire.OVERHEAD), pair.first, pair.elsewhere)
    assert pair.moves == [pair.elsewhere.port]
    pair.send(WHOLE.frame())
    assert [size for _, size, _ in pair.arrived(pair.elsewhere)] == [EACH] * 6
    assert pair.arrived(pair.far) == []
    pair.send(WHOLE.frame())
    pair.answer()
    assert pair.arrived(pair.elsewhere) == []
    numbers = [number for number, _, _ in pair.arrived(pair.far)]
    assert numbers == [*range(7, 14)]
    assert pair.session.path.peer == (HERE, pair.far.port)


@pytest.mark.parametrize("size", [400, 401, 900, 1300, 2 * EACH // 3, 2 * EACH // 3 + 1])
def test_a_train_is_split_where_no_more_may_go_there_and_nothing_goes_twice(
    pair: Pair, size: int
) -> None:
    pair.say(pair.sealed(size - wire.OVERHEAD), pair.first, pair.elsewhere)
    pair.send(WHOLE.frame())
    there, before = pair.arrived(pair.elsewhere), pair.arrived(pair.far)
    assert len(there) == 3 * size // EACH
    assert [number for number, _, _ in there + before] == [1, 2, 3, 4, 5, 6]
    # What is too little for a packet is enough for answers.
    left = 3 * size - bytes_of(there)
    for _ in range(20):
        pair.answer()
    assert len(pair.arrived(pair.elsewhere)) == left // ANSWER
    assert len(pair.arrived(pair.far)) == 20 - left // ANSWER
    assert pair.engine.figures.drops[Drop.FULL] == 0


def test_all_that_comes_from_there_counts_and_nothing_else(pair: Pair) -> None:
    late, forged = pair.sealed(), bytearray(pair.sealed())
    forged[-1] ^= 1
    pair.say(pair.sealed(), pair.first, pair.elsewhere)
    pair.say(late, pair.first, pair.elsewhere)
    pair.say(pair.sealed(), pair.first, pair.elsewhere)
    pair.say(bytes(forged), pair.first, pair.elsewhere)
    assert pair.moves == [pair.elsewhere.port], "one candidate"
    pair.together([pair.sealed() for _ in range(3)], pair.first, pair.elsewhere)
    for _ in range(30):
        pair.answer()
    assert bytes_of(pair.arrived(pair.elsewhere)) == 3 * (3 + 3) * ANSWER


def test_several_control_datagrams_are_sent_there_or_not_as_one(pair: Pair) -> None:
    pair.say(pair.sealed(), pair.first, pair.elsewhere)
    train = SendTrain(tuple(SendControl(INDEX, Type.TRAIN, bytes(40)) for _ in range(2)))
    pair.engine.carry_out(train)
    pair.engine.carry_out(train)
    assert len(pair.arrived(pair.elsewhere)) == 2
    assert len(pair.arrived(pair.far)) == 2


def test_once_it_is_validated_everything_goes_there(pair: Pair) -> None:
    pair.answers = True
    pair.say(pair.sealed(), pair.second, pair.elsewhere)
    assert pair.session.socket is pair.first
    assert pair.heard == [True]
    assert pair.arrived(pair.elsewhere) == [(1, ANSWER, pair.second.port)]
    pair.engine.carry_out(TakeCandidate(INDEX))
    assert pair.session.path.candidate is None
    pair.send(WHOLE.frame())
    assert [port for _, _, port in pair.arrived(pair.elsewhere)] == [pair.second.port] * 6
    pair.say(pair.sealed(), pair.second, pair.elsewhere)
    assert pair.heard == [True, False]
    assert len(pair.moves) == 1
    assert pair.arrived(pair.far) == []


def test_where_validation_fails_it_goes_on_as_before_and_may_try_again(pair: Pair) -> None:
    pair.say(pair.sealed(), pair.first, pair.elsewhere)
    pair.engine.carry_out(DropCandidate(INDEX))
    pair.answer()
    assert pair.arrived(pair.elsewhere) == []
    assert len(pair.arrived(pair.far)) == 1
    pair.say(pair.sealed(), pair.first, pair.elsewhere)
    assert pair.moves == [pair.elsewhere.port] * 2
    pair.answer()
    assert pair.arrived(pair.elsewhere) == [], "it gets challenges only, after it has failed once"
    pair.answer(challenge=True)
    assert len(pair.arrived(pair.elsewhere)) == 1
    pair.engine.carry_out(TakeCandidate(INDEX))
    pair.say(pair.sealed(), pair.first)
    pair.answer()
    assert len(pair.arrived(pair.far)) == 2


def test_the_port_that_was_asked_has_to_be_validated_too(pair: Pair) -> None:
    pair.answers = True
    pair.say(pair.sealed(), pair.second)
    assert pair.moves == [pair.far.port]
    pair.send(WHOLE.frame())
    assert [port for *_, port in pair.arrived(pair.far)] == [pair.second.port] + 6 * [
        pair.first.port
    ]
    pair.say(pair.sealed(), pair.first)
    assert pair.moves == [pair.far.port, None]
    assert [port for *_, port in pair.arrived(pair.far)] == [pair.first.port]


def test_a_packet_makes_a_candidate_too(pair: Pair) -> None:
    pair.packets(pair.second, pair.elsewhere)
    assert pair.moves == [pair.elsewhere.port]
    assert len(pair.tun.take()) == 1


def test_of_datagrams_that_wait_together_the_last_says_where_its_peer_is(pair: Pair) -> None:
    pair.packets(pair.first, pair.far, pair.elsewhere, pair.far)
    assert pair.moves == [pair.elsewhere.port, None]
    pair.packets(pair.first, pair.far, pair.far, pair.elsewhere, pair.elsewhere)
    assert pair.moves == [pair.elsewhere.port, None, pair.elsewhere.port]
    size = len(udp_packet(b"x")) + wire.OVERHEAD
    for _ in range(20):
        pair.answer()
    assert len(pair.arrived(pair.elsewhere)) == 3 * 2 * size // ANSWER
    assert len(pair.tun.take()) == 7


def test_what_was_overtaken_or_is_repeated_or_forged_makes_no_candidate(pair: Pair) -> None:
    late, first = pair.sealed(), pair.sealed()
    pair.say(first, pair.first)
    for by in (pair.far, pair.elsewhere):
        pair.say(late, pair.second, by)
        late = pair.sealed() if by is pair.elsewhere else late
        pair.say(first, pair.second, by)
    forged = bytearray(pair.sealed())
    forged[-1] ^= 1
    pair.say(bytes(forged), pair.second, pair.elsewhere)
    assert pair.moves == []
    assert pair.session.path.candidate is None
    assert pair.session.socket is pair.first


def test_the_newest_datagram_along_the_path_ends_it(pair: Pair) -> None:
    overtaken = pair.sealed()
    pair.say(pair.sealed(), pair.first, pair.elsewhere)
    pair.say(overtaken, pair.first)
    assert pair.session.path.candidate is not None, "it was on its way when the peer moved"
    pair.say(pair.sealed(), pair.first)
    assert pair.moves == [pair.elsewhere.port, None]
    pair.answer()
    assert pair.arrived(pair.elsewhere) == []


def test_whose_originals_come_along_the_path_is_not_believed_to_be_elsewhere(pair: Pair) -> None:
    """Somebody copies what the peer sends, and is faster."""
    copied = pair.sealed(6 * EACH)
    pair.say(copied, pair.first, pair.elsewhere)
    pair.say(copied, pair.first)
    pair.say(copied, pair.first)
    pair.answer()
    pair.send(WHOLE.frame())
    pair.answer(challenge=True)
    assert [size for _, size, _ in pair.arrived(pair.elsewhere)] == [ANSWER], "the challenge"
    assert len(pair.arrived(pair.far)) == 7
    # And where it has really moved, that can be seen.
    pair.engine.carry_out(TakeCandidate(INDEX))
    pair.answer()
    assert len(pair.arrived(pair.elsewhere)) == 1


def test_a_challenge_goes_to_the_candidate_or_nowhere(pair: Pair) -> None:
    pair.answer(challenge=True)
    pair.say(pair.sealed(), pair.first, pair.elsewhere)
    for _ in range(5):
        pair.answer(challenge=True)
    assert len(pair.arrived(pair.elsewhere)) == 3
    assert pair.arrived(pair.far) == []


def test_where_no_path_was_ever_validated_the_rest_is_not_sent(pair: Pair) -> None:
    pair.engine.carry_out(DoubtPath(INDEX))
    pair.answer()
    pair.send(WHOLE.frame())
    assert pair.engine.figures.drops[Drop.FULL] == 7
    pair.say(pair.sealed(EACH - wire.OVERHEAD), pair.first, pair.elsewhere)
    assert pair.moves == [pair.elsewhere.port]
    pair.send(WHOLE.frame())
    assert len(pair.arrived(pair.elsewhere)) == 3
    assert pair.engine.figures.drops[Drop.FULL] == 10
    pair.engine.carry_out(DropCandidate(INDEX))
    pair.send(WHOLE.frame())
    assert pair.engine.figures.drops[Drop.FULL] == 16
    pair.say(pair.sealed(), pair.first, pair.elsewhere)
    assert pair.moves == [pair.elsewhere.port] * 2, "it may try again"
    assert pair.arrived(pair.far) == pair.arrived(pair.elsewhere) == []
    pair.engine.carry_out(TakeCandidate(INDEX))
    pair.send(WHOLE.frame())
    assert len(pair.arrived(pair.elsewhere)) == 6


def test_it_goes_on_without_trains_where_they_do_not_arrive(pair: Pair) -> None:
    pair.session.send_together(allowed=False)
    pair.packets(pair.second, pair.far)
    candidate = pair.session.path.candidate
    for path in (candidate, pair.session.path):
        assert not getattr(path, "together", False)
        assert not getattr(getattr(path, "handle", None), "segmentation", False)
    pair.engine.carry_out(TakeCandidate(INDEX))
    assert not pair.session.together
    assert not getattr(pair.session.path, "together", False)
    assert not getattr(getattr(pair.session.path, "handle", None), "segmentation", False)
