"""Sessions as a later process finds them, after whatever has ended the one before."""

from __future__ import annotations

import ipaddress
import os
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.tunnel import codec
from nrs.tunnel.codec.carrier import Stop
from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.codec.sealing import Check
from nrs.tunnel.handshake import SessionSecrets, StaticKey
from nrs.tunnel.record import Progress, Record, key_print
from nrs.tunnel.session import Session, open_session, protection_of, resume_session
from nrs.tunnel.session_memory import SessionMemory
from nrs.tunnel.udp_socket import UdpSocket
from nrs.tunnel.wire import Cipher, Claim, KeyMode, Type, in_order
from tests.tunnel.carrying import plain, sealed
from tests.tunnel.codecs import opening
from tests.tunnel.packets import udp_packet

KEY = StaticKey(b"k" * 32, KeyMode.DEVICE, 7)
CLAIM = Claim(
    "endpoint_1",
    ipaddress.IPv4Address("10.10.100.1"),
    ipaddress.IPv6Address("fd00:10:100::1"),
)
PEER = ("2001:db8::7", 4000, 0, 0)
LOCAL = ipaddress.IPv6Address("2001:db8::1").packed + bytes(4)
CODECS = ["c", "python"]


def record(index: int = 1, **changes: object) -> Record:
    secrets = SessionSecrets(index, index + 1000, 7, b"s" * 32, b"r" * 32)
    made = Record(secrets, KeyMode.DEVICE, key_print(KEY), 12.5, CLAIM)
    return replace(made, **changes)  # type: ignore[arg-type]


@pytest.fixture
def memory() -> Iterator[SessionMemory]:
    with closing(SessionMemory()) as made:
        yield made


def again(memory: SessionMemory) -> SessionMemory:
    """As the next process maps it."""
    return SessionMemory(os.dup(memory.file.fd))


addresses4 = st.ip_addresses(v=4)
addresses6 = st.ip_addresses(v=6)
networks = st.one_of(
    st.builds(lambda a, n: ipaddress.ip_network((a, n), strict=False), addresses4, st.just(24)),
    st.builds(lambda a, n: ipaddress.ip_network((a, n), strict=False), addresses6, st.just(64)),
)
tun_addresses = st.tuples(
    st.none() | addresses4.filter(int), st.none() | addresses6.filter(int)
).filter(any)
claims = st.builds(
    lambda name, addresses, prefixes: Claim(name, *addresses, prefixes),
    st.from_regex(r"\A[A-Za-z0-9][A-Za-z0-9_.-]{0,63}\Z"),
    tun_addresses,
    st.lists(networks, max_size=8, unique=True).map(in_order),
)


@given(claims, st.sampled_from(["", "router_1"]), st.floats(0, 1e9), st.none() | tun_addresses)
def test_a_record_is_read_as_it_was_written(
    claim: Claim, owner: str, created: float, router: tuple[Any, Any] | None
) -> None:
    addresses = tuple(address.packed for address in router or () if address is not None)
    made = record(claim=claim, owner=owner, created=created, addresses=addresses)
    assert Record.decode(made.encode()) == made


@given(st.binary(max_size=400))
def test_nonsense_is_no_record(data: bytes) -> None:
    try:
        made = Record.decode(data)
    except ValueError:
        return
    assert Record.decode(made.encode()) == made


def test_the_configured_key_is_not_in_it(memory: SessionMemory) -> None:
    memory.allocate(record())
    assert KEY.secret not in bytes(memory.view[:4096])
    assert key_print(KEY) != key_print(replace(KEY, key_id=8))
    assert key_print(KEY) != key_print(replace(KEY, mode=KeyMode.SHARED))


def test_sessions_and_their_progress_are_found_again(memory: SessionMemory) -> None:
    for index in (1, 2, 3):
        slot = memory.allocate(record(index))
        assert slot is not None
        assert slot.progress == Progress()
        slot.note(Progress(confirmed=True, active=index == 2, since=100.0 + index))
    with closing(again(memory)) as later:
        found = {r.secrets.local_index: s.progress for s, r in later}
        assert found == {i: Progress(True, i == 2, 100.0 + i) for i in (1, 2, 3)}


def test_what_is_over_leaves_nothing_behind(memory: SessionMemory) -> None:
    slots = [memory.allocate(record(index)) for index in (1, 2, 3)]
    assert slots[1] is not None
    slots[1].counter[:] = b"\xff" * 8
    slots[1].release()
    with closing(again(memory)) as later:
        assert [r.secrets.local_index for _, r in later] == [1, 3]
        fourth = later.allocate(record(4))
        assert fourth is not None
        assert not any(fourth.counter)
        assert [r.secrets.local_index for _, r in later] == [1, 4, 3]
    for slot, _ in list(memory):
        slot.release()
    assert not any(memory.view[: 4 * 1536]), "keys are still there"


def test_one_that_was_cut_off_in_the_middle_is_not_there(memory: SessionMemory) -> None:
    """The process was killed after the record was written, before it was marked as used."""
    slot = memory.allocate(record(1))
    assert slot is not None
    memory.view[slot._start : slot._start + 4] = bytes(4)
    with closing(again(memory)) as later:
        assert list(later) == []
        assert not any(later.view[:1536])
        assert later.allocate(record(2)) is not None


def test_one_that_is_damaged_is_released_and_told(
    memory: SessionMemory, caplog: pytest.LogCaptureFixture
) -> None:
    slot, good = memory.allocate(record(1)), memory.allocate(record(2))
    assert slot is not None and good is not None
    memory.view[slot._start + 4 : slot._start + 8] = (40).to_bytes(4, "little")
    with closing(again(memory)) as later:
        assert [r.secrets.local_index for _, r in later] == [2]
        assert "cannot be read" in caplog.text
        assert [r.secrets.local_index for _, r in later] == [2]


def test_a_full_memory_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    with closing(SessionMemory(most=1)) as memory:
        last = memory.allocate(record(1))
        assert last is not None
        assert memory.allocate(record(2)) is None
        assert memory.allocate(record(3)) is None
        assert caplog.text.count("no room to keep the session with endpoint_1") == 1
        last.release()
        assert memory.allocate(record(4)) is not None


def test_the_longest_record_has_room(memory: SessionMemory) -> None:
    prefixes = tuple(ipaddress.ip_network(f"10.{n}.0.0/16") for n in range(16))
    claim = replace(CLAIM, endpoint_id="e" * 64, prefixes=prefixes)
    longest = record(claim=claim, owner="r" * 64, addresses=(b"4" * 4, b"6" * 16))
    assert memory.allocate(longest) is not None
    ((_, kept),) = list(memory)
    assert kept == longest


class Pair:
    """A session of a router in memory, and its endpoint's, which is in none."""

    def __init__(
        self, memory: SessionMemory, router_codec: Codec, cipher: Cipher = Cipher.NONE
    ) -> None:
        self.router_socket = UdpSocket("::1", 0)
        self.endpoint_socket = UdpSocket("::1", 0, peer=self.router_socket.local_address[:2])
        self.memory = memory
        secrets = SessionSecrets(5, 6, 7, b"s" * 32, b"r" * 32, cipher)
        self.router = open_session(
            router_codec,
            memory,
            Record.of(secrets, KEY, CLAIM, 3.0),
            KEY,
            Check.SOURCE,
            self.router_socket,
            peer=self.endpoint_socket.local_address,
            local=None,
        )
        theirs = SessionSecrets(6, 5, 7, b"r" * 32, b"s" * 32, cipher)
        self.endpoint = open_session(
            codec.load(),
            None,
            Record.of(theirs, KEY, CLAIM, 3.0),
            KEY,
            Check.DESTINATION,
            self.endpoint_socket,
        )

    def resume(self, with_codec: Codec) -> Session:
        """The router's session as the next process has it."""
        (entry,) = list(self.memory)
        slot, found = entry
        return resume_session(with_codec, slot, found, KEY, Check.SOURCE, self.router_socket, 9.0)

    def close(self) -> None:
        self.router_socket.close()
        self.endpoint_socket.close()


@pytest.fixture(params=Cipher, ids=lambda cipher: cipher.text)
def cipher(request: pytest.FixtureRequest) -> Cipher:
    assert isinstance(request.param, Cipher)
    return request.param


@pytest.fixture(params=CODECS)
def pair(memory: SessionMemory, request: pytest.FixtureRequest, cipher: Cipher) -> Iterator[Pair]:
    with closing(Pair(memory, codec.load(request.param), cipher)) as made:
        yield made


def accepted(with_codec: Codec, session: Session, datagram: bytes) -> bool:
    train = memoryview(bytearray(datagram))
    return opening(with_codec).open(session.opener, train, len(train), 0, 0).stop is Stop.CONTROL


@pytest.mark.parametrize("later", CODECS)
def test_either_codec_goes_on_where_either_has_ended(
    pair: Pair, later: str, cipher: Cipher
) -> None:
    before, now = pair.router, codec.load(later)
    first = before.sealer.control(Type.ROLE)
    heard = [pair.endpoint.sealer.control(Type.PROBE, bytes(24)) for _ in range(3)]
    here = codec.load("c" if type(before.opener).__name__.startswith("C") else "python")
    assert accepted(here, before, heard[2])
    assert accepted(here, before, heard[0])
    resumed = pair.resume(now)
    assert resumed.sealer.sequence == 1
    assert resumed.sealer.control(Type.ROLE)[8:16] == (2).to_bytes(8, "big") != first[8:16]
    assert (resumed.opener.highest(0), resumed.opener.received(0)) == (3, 2)
    assert not accepted(now, resumed, heard[0]), "it was received by the process before"
    assert accepted(now, resumed, heard[1])
    assert resumed.path.peer == before.path.peer
    assert protection_of(resumed) == {
        "key_mode": "device",
        "key_epoch": 7,
        "cipher": cipher.text,
    }
    assert (resumed.created, resumed.last_received) == (3.0, 9.0)


@pytest.mark.parametrize("later", CODECS)
def test_where_the_peer_has_moved_to_is_known_once_it_is_validated(pair: Pair, later: str) -> None:
    writer = codec.load("c" if type(pair.router.opener).__name__.startswith("C") else "python")
    before, there = pair.router.path.peer, ("2001:db8::9", 4001, 0, 0)
    with closing(UdpSocket("::1", 0)) as other:
        pair.router.path.consider(other, there, LOCAL)
        resumed = pair.resume(codec.load(later))
        assert (resumed.path.peer, resumed.path.local) == (before, None)
        assert resumed.path.candidate is None
        pair.router.path.consider(other, there, LOCAL)
        pair.router.take_candidate(writer)
        assert pair.router.path.candidate is None
        assert pair.router.socket is other
        resumed = pair.resume(codec.load(later))
        assert (resumed.path.peer, resumed.path.local) == (there, LOCAL)


def test_a_path_that_is_doubted_is_none_for_the_next_process(pair: Pair) -> None:
    pair.router.doubt(
        codec.load("c" if type(pair.router.opener).__name__ == "COpener" else "python")
    )
    ((slot, _),) = list(pair.memory)
    assert slot.peer == (None, None)
    assert not pair.router_socket.can_reach(slot.peer[0])


def test_the_port_that_it_came_in_at_is_known(pair: Pair) -> None:
    def port() -> int:
        ((slot, _),) = list(pair.memory)
        return slot.port

    assert port() == pair.router_socket.port
    pair.router.note(active=True, since=5.0)
    assert port() == pair.router_socket.port
    other = UdpSocket("::1", 0)
    here = codec.load("c" if type(pair.router.opener).__name__.startswith("C") else "python")
    path = pair.router.path
    pair.router.move(here, other, path.peer, path.local)
    ((slot, _),) = list(pair.memory)
    assert (slot.port, slot.progress.active, slot.progress.since) == (other.port, True, 5.0)
    other.close()


def test_a_session_without_room_works(pair: Pair) -> None:
    session = pair.endpoint
    session.note(since=1.0)
    session.forget()
    assert session.slot is None


def test_forgetting_a_session_forgets_its_memory(pair: Pair) -> None:
    pair.router.confirmed = True
    pair.router.note(active=True, since=50.0)
    ((slot, _),) = list(pair.memory)
    assert slot.progress == Progress(True, True, 50.0)
    pair.router.forget()
    pair.router.forget()
    assert list(pair.memory) == []


@pytest.mark.parametrize("name", CODECS)
@pytest.mark.parametrize(
    ("claim", "own", "absent", "there"),
    [
        (replace(CLAIM, tun_ipv6=None), "10.10.100.1", "::", "2001:db8::1"),
        (replace(CLAIM, tun_ipv4=None), "fd00:10:100::1", "0.0.0.0", "198.51.100.10"),
    ],
)
def test_an_address_that_a_claim_is_without_is_nobodys(
    name: str, claim: Claim, own: str, absent: str, there: str
) -> None:
    made_by = codec.load(name)
    with closing(UdpSocket("127.0.0.1", 0)) as socket:
        made = open_session(made_by, None, record(claim=claim), KEY, Check.SOURCE, socket)
    assert made.owned.addresses == {ipaddress.ip_address(own).packed}
    sealer = made_by.sealer(record().secrets.receive_key, record().secrets.local_index)
    far = "198.51.100.10" if ":" not in own else "2001:db8::1"
    for source, destination, dropped in ((own, far, 0), (absent, there, 1)):
        (datagram,) = sealed(
            made_by, [plain(udp_packet(b"x", source=source, destination=destination))], sealer
        )
        opened = opening(made_by).open(
            made.opener, memoryview(bytearray(datagram)), len(datagram), 0, 0
        )
        assert opened.drops == (0, 0, dropped, 0)
