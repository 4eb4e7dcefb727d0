"""What a codec counts as it sends and receives, with real sockets."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest

from nrs.tunnel.codec.carrier import AUTHENTIC, DATA, ELSEWHERE, STOP_MASK, Stop
from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.codec.sealing import Check
from nrs.tunnel.udp_socket import UdpSocket
from nrs.tunnel.wire import Type
from tests.tunnel.carrying import INDEX, KEY, OWNED, pktinfo, plain
from tests.tunnel.codecs import CODECS
from tests.tunnel.fakes import FakeTun
from tests.tunnel.packets import TCP, SuperPacket, noise, udp_packet

pytestmark = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
WHOLE = SuperPacket(TCP, noise(4000), 1000)
FRAMES = [WHOLE.frame(), plain(udp_packet(b"one")), plain(udp_packet(b"two"))]
INNER_BYTES = sum(map(len, WHOLE.expected())) + 2 * len(udp_packet(b"one"))


@pytest.fixture
def sockets() -> Iterator[tuple[UdpSocket, UdpSocket]]:
    there = UdpSocket("127.0.0.1", 0)
    here = UdpSocket("127.0.0.1", 0, peer=there.local_address[:2])
    yield here, there
    here.close()
    there.close()


def test_both_ends_count_the_same(codec: Codec, sockets: tuple[UdpSocket, UdpSocket]) -> None:
    here, there = sockets
    frames, outbox = codec.frames(), codec.outbox()
    frames.load(FRAMES)
    outbox.carry(codec.sealer(KEY, INDEX), codec.path(here, None, None), frames, 0, 3)
    sent = outbox.totals
    assert (sent.packets, sent.datagrams, sent.batches, sent.batched) == (6, 5, 1, 2)
    assert sent.full == sent.malformed == 0

    tun, intake, inbox = FakeTun(), codec.intake(), codec.inbox(udp_offload=True)
    opener = codec.opener(KEY, INDEX, OWNED, Check.SOURCE)
    path = codec.path(there, here.local_address, pktinfo("127.0.0.1"))
    try:
        while intake.receive(there) == 1:
            result = inbox.carry(opener, path, None, intake, 0, tun.fd)
            assert result == AUTHENTIC | DATA | Stop.DONE
            assert result & STOP_MASK == Stop.DONE
        received = inbox.totals
        assert (received.packets, received.datagrams) == (sent.packets, sent.datagrams)
        assert received.bytes == INNER_BYTES
        assert len(tun.take()) == 3
    finally:
        tun.close()


@pytest.mark.parametrize(
    ("host", "own", "elsewhere"),
    [("127.0.0.1", "127.0.0.1", 0), ("127.0.0.9", "127.0.0.1", 1), ("127.0.0.1", "127.0.0.9", 1)],
)
def test_where_a_datagram_came_from_counts_if_it_is_the_newest(
    codec: Codec, sockets: tuple[UdpSocket, UdpSocket], host: str, own: str, elsewhere: int
) -> None:
    """Whether the peer's address is another one, or ours."""
    here, there = sockets
    sealer, opener = codec.sealer(KEY, INDEX), codec.opener(KEY, INDEX, OWNED, Check.SOURCE)
    late, newest = (sealer.control(Type.ROLE) for _ in range(2))
    intake, inbox = codec.intake(), codec.inbox(udp_offload=True)
    path = codec.path(there, (host, here.port), pktinfo(own))
    for datagram, expected in ((newest, elsewhere), (late, 0), (newest, 0)):
        here.send_one(datagram)
        assert intake.receive(there) == 1
        result = inbox.carry(opener, path, None, intake, 0, -1)
        assert result & ELSEWHERE == expected * ELSEWHERE
    assert path.peer == (host, here.port)


def test_what_is_refused_is_told_and_counts_for_nothing(
    codec: Codec, sockets: tuple[UdpSocket, UdpSocket]
) -> None:
    here, _ = sockets
    frames, outbox = codec.frames(), codec.outbox()
    long = plain(udp_packet(noise(1400)))
    frames.load([*FRAMES, long, FRAMES[1], long])
    sealer = codec.sealer(KEY, INDEX)
    path = codec.path(here, None, None)
    assert outbox.carry(sealer, path, frames, 0, 6) == 0
    before = outbox.totals.packets
    sealer.limit(1300, settled=True)
    assert outbox.carry(sealer, path, frames, 0, 6) == 0b101000
    assert outbox.totals.packets == before + before - 2
    assert outbox.carry(sealer, path, frames, 4, 5) == 0


def test_a_path_sends_trains_or_each_datagram_by_itself(
    codec: Codec, sockets: tuple[UdpSocket, UdpSocket]
) -> None:
    here, there = sockets
    frames, outbox, buffer = codec.frames(), codec.outbox(), bytearray(70_000)
    frames.load([WHOLE.frame()])
    sealer, path = codec.sealer(KEY, INDEX), codec.path(here, None, None)
    for allowed, arrived in ((True, 1), (False, 4), (True, 1)):
        path.send_together(allowed=allowed)
        outbox.carry(sealer, path, frames, 0, 1)
        lengths = [there.receive_into(buffer)[0] for _ in range(arrived)]
        assert sum(lengths) == 4 * 1092
    assert here.segmentation
    assert outbox.totals.datagrams == 12


def test_what_could_not_be_sent_is_counted_as_full_and_as_nothing_else(codec: Codec) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        here = UdpSocket("127.0.0.1", 0, peer=nobody.getsockname())
    path = codec.path(here, None, None)
    here.close()
    frames, outbox = codec.frames(), codec.outbox()
    frames.load(FRAMES)
    outbox.carry(codec.sealer(KEY, INDEX), path, frames, 0, 3)
    sent = outbox.totals
    assert (sent.full, sent.datagrams, sent.packets, sent.bytes) == (5, 0, 0, 0)
