"""What an engine tells senders inside whose packets are too long for a tunnel's path."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

import pytest

from nrs.tunnel import wire
from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.codec.sealing import Check
from nrs.tunnel.drop import Drop
from nrs.tunnel.engine import Engine
from nrs.tunnel.handshake import SessionSecrets, StaticKey
from nrs.tunnel.record import Record
from nrs.tunnel.session import Session, open_session
from nrs.tunnel.udp_socket import UdpSocket
from nrs.tunnel.wire import Claim, KeyMode
from tests.tunnel.carrying import KEY, plain
from tests.tunnel.codecs import CODECS
from tests.tunnel.fakes import FakeLoop, FakeTun
from tests.tunnel.packets import noise, udp_packet

CLAIM = Claim(
    "endpoint_1", ipaddress.IPv4Address("10.10.100.1"), ipaddress.IPv6Address("fd00:10:100::1")
)


class Routing:
    """Everything goes through one session."""

    def select(self, *_: object) -> int:
        return 7

    def delivered(self, *_: object) -> None: ...


class Host:
    """An engine with one session and its TUN device."""

    def __init__(self, codec: Codec) -> None:
        self.tun, self.loop = FakeTun(), FakeLoop()
        self.socket = UdpSocket("127.0.0.1", 0, peer=("127.0.0.1", 9))
        tun: Any = self.tun
        loop: Any = self.loop
        peers: Any = None
        self.engine = Engine(tun, loop, Routing(), peers, codec)
        key = StaticKey(KEY, KeyMode.SHARED, 0)
        record = Record(SessionSecrets(7, 8, 0, KEY, KEY), key.mode, bytes(32), 0.0, CLAIM)
        self.session: Session = open_session(codec, None, record, key, Check.SOURCE, self.socket)
        self.engine.add_session(self.session)

    def send(self, *packets: bytes) -> list[bytes]:
        """Packets of the host; what it is told."""
        for packet in packets:
            self.tun.send(plain(packet))
        self.loop.readers[self.tun.fd]()
        return [frame[10:] for frame in self.tun.take()]

    @property
    def refused(self) -> int:
        return self.engine.figures.drops[Drop.TOO_LONG]

    def close(self) -> None:
        self.tun.close()
        self.socket.close()


@pytest.fixture(params=CODECS, ids=lambda codec: codec.name)
def host(request: pytest.FixtureRequest) -> Iterator[Host]:
    made = Host(request.param)
    yield made
    made.close()


def long(source: str = "10.10.100.1") -> bytes:
    return udp_packet(noise(1372), source=source)


def test_a_sender_is_told_once_the_path_is_known(host: Host) -> None:
    assert host.send(long()) == []
    host.session.limit(1300 + wire.OVERHEAD, settled=True)
    assert host.session.path_mtu == 1300 + wire.OVERHEAD + wire.HEADERS4
    (error,) = host.send(udp_packet(b"before"), long(), udp_packet(b"behind"))
    assert error[20:22] == b"\x03\x04"
    assert error[26:28] == (1300).to_bytes(2, "big")
    assert host.refused == 1
    assert host.engine.figures.tx_packets == 3


def test_each_sender_hears_of_it_twenty_times_a_second(host: Host) -> None:
    host.session.limit(1300 + wire.OVERHEAD, settled=True)
    assert len(host.send(*[long()] * 50)) == 20
    assert host.refused == 50
    assert len(host.send(long("10.10.100.2"))) == 1
    host.loop.clock.now += 0.5
    assert len(host.send(*[long()] * 50)) == 10


def test_what_another_session_has_sent_before_is_split(host: Host) -> None:
    host.session.limit(1300 + wire.OVERHEAD, settled=False)
    host.engine.send_again(host.session, [plain(long())])
    assert host.tun.take() == []
    assert host.engine.figures.tx_datagrams == 2


@pytest.mark.parametrize(("said", "used"), [(0, 528), (1352, 1352), (60_000, 8972)])
def test_a_limit_is_one_that_a_path_may_have(host: Host, said: int, used: int) -> None:
    host.session.limit(said, settled=False)
    assert host.session.longest == used
