"""What passes the sieve in front of a router, and what is dropped, by both codecs."""

from __future__ import annotations

import ipaddress
import random
import socket as sockets
from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nrs.tunnel import keys, wire
from nrs.tunnel.codec.carrier import Intake
from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.codec.sieve import Sieve, Sieved, Sifted
from nrs.tunnel.handshake import (
    BadTag,
    HandshakeError,
    Initiator,
    ModeRefused,
    Responder,
    StaticKey,
)
from nrs.tunnel.udp_socket import UdpSocket
from nrs.tunnel.wire import Claim, Hello, KeyMode, Type
from tests.tunnel.codecs import CODECS
from tests.tunnel.test_handshake import IDENTITY

MASTERS = {0: bytes(range(32)), 7: bytes(range(32, 80)), 255: bytes(range(100))}
CLAIM = Claim("endpoint_1", ipaddress.IPv4Address("10.10.100.1"), None)
WIDEST = Claim(
    "e" * wire.LONGEST_ID,
    ipaddress.IPv4Address("10.10.100.1"),
    ipaddress.IPv6Address("fd00:10:100::1"),
    tuple(ipaddress.ip_network(f"fd00:10:{n:x}::/48") for n in range(wire.MOST_PREFIXES)),
)
MODES = [frozenset({KeyMode.SHARED}), frozenset({KeyMode.DEVICE}), frozenset(KeyMode)]

each_codec = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
each_mode = pytest.mark.parametrize("mode", KeyMode, ids=lambda mode: mode.name.lower())


def hello(
    mode: KeyMode = KeyMode.SHARED, key_id: int = 0, claim: Claim = CLAIM, master: bytes = b""
) -> bytes:
    """A HELLO of an endpoint that has its key from `master`, or from the one held."""
    secret = master or MASTERS[key_id]
    if mode is KeyMode.DEVICE:
        secret = keys.device_key(secret, claim, key_id)
    chance = random.Random(0)  # noqa: S311
    return Initiator(StaticKey(secret, mode, key_id), claim, 11, chance.randbytes).hello()


def stray(index: int, kind: int = Type.DATA, size: int = wire.OVERHEAD) -> bytes:
    """A datagram of a session."""
    return wire.HEADER.pack(wire.VERSION << 4 | kind, 0, 0, 0, index, 1, 0).ljust(size, b"\1")


def resigned(datagram: bytes, key_id: int) -> bytes:
    """With the tag that who holds the key gives it, whatever stands in it."""
    signed = datagram[: -wire.TAG_BYTES]
    body = signed[wire.HEADER_BYTES :]
    secret = MASTERS[key_id]
    if body[5] == KeyMode.DEVICE:
        id_length, prefixes = body[128], body[129]
        claim = bytes(body[128 : 128 + 24 + 18 * prefixes + id_length])
        key = keys.DeviceMaster(secret, key_id).hello_key(claim)
    else:
        key = keys.hello_key(secret)
    return signed + key.tag(signed)


def altered(*changes: tuple[int, int]) -> bytes:
    """A HELLO of who holds the key, with other bytes in its body, and room for any claim."""
    datagram = bytearray(hello().ljust(1000, b"\0"))
    for place, value in changes:
        datagram[wire.HEADER_BYTES + place] = value
    return resigned(bytes(datagram), 0)


class Sifter:
    """A sieve and what goes into it, through a socket."""

    def __init__(self, codec: Codec) -> None:
        self.sieve: Sieve[Intake] = codec.sieve()
        self.sieve.hold(MASTERS)
        self.intake = codec.intake()
        self.socket = UdpSocket("127.0.0.1", 0)
        self.sender = UdpSocket("127.0.0.1", 0, peer=self.socket.local_address[:2])

    def send(self, *train: bytes) -> None:
        """Datagrams of one length, the last may be shorter, that arrive together."""
        if len(train) == 1:
            assert self.sender.send_one(train[0])
            return
        whole = memoryview(b"".join(train))
        assert self.sender.send(whole, (0, len(whole), len(train[0]), 0)) == len(train)

    def receive(self, most: int = 1000) -> int:
        return self.sieve.receive(self.socket, self.intake, most)

    def sift(self, *train: bytes) -> list[int]:
        """Which of them are to be looked at."""
        self.send(*train)
        found = self.receive()
        assert found == (Sieved.WORTH if self.sieve.worth else Sieved.NOTHING)
        assert [bytes(self.intake.datagram(at)) for at in self.sieve.worth] == [
            train[at // len(train[0])] for at in self.sieve.worth
        ]
        return [at // len(train[0]) for at in self.sieve.worth]

    def close(self) -> None:
        self.socket.close()
        self.sender.close()


@pytest.fixture
def sifter(codec: Codec) -> Iterator[Sifter]:
    made = Sifter(codec)
    yield made
    made.close()


@pytest.fixture(scope="module")
def both() -> Iterator[list[Sifter]]:
    made = [Sifter(codec) for codec in CODECS]
    yield made
    for sifter in made:
        sifter.close()


@each_codec
@each_mode
@pytest.mark.parametrize("key_id", MASTERS)
@pytest.mark.parametrize("claim", [CLAIM, WIDEST], ids=["narrow", "widest"])
def test_a_hello_passes_that_a_held_key_proves(
    sifter: Sifter, mode: KeyMode, key_id: int, claim: Claim
) -> None:
    assert sifter.sift(hello(mode, key_id, claim)) == [0]
    assert sifter.sift(hello(mode, key_id, claim, b"x" * 32)) == []
    assert sifter.sieve.sifted == Sifted(datagrams=2, tag=1)


@each_codec
@each_mode
def test_no_bit_of_a_hello_may_be_another(sifter: Sifter, mode: KeyMode) -> None:
    datagram = bytearray(hello(mode))
    for bit in range(8 * len(datagram)):
        datagram[bit // 8] ^= 1 << bit % 8
        assert sifter.sift(bytes(datagram)) == [], bit
        datagram[bit // 8] ^= 1 << bit % 8
    assert sifter.sift(bytes(datagram)) == [0]


@each_codec
@each_mode
def test_keys_are_held_in_place_of_those_before(sifter: Sifter, mode: KeyMode) -> None:
    assert sifter.sift(hello(mode, 7)) == [0]
    sifter.sieve.hold({0: MASTERS[0], 8: MASTERS[7]})
    assert sifter.sift(hello(mode, 7)) == []
    assert sifter.sift(hello(mode, 8, master=MASTERS[7])) == [0]
    sifter.sieve.hold({})
    assert sifter.sift(hello(mode, 0)) == []
    assert sifter.sieve.sifted == Sifted(datagrams=4, tag=2)


@each_codec
@pytest.mark.parametrize(
    "junk",
    [
        pytest.param(b"", id="empty"),
        pytest.param(stray(1)[: wire.LEAST_BYTES - 1], id="short"),
        pytest.param(b"\x10" + stray(1)[1:], id="version"),
        pytest.param(b"\x04" + hello()[1:], id="version of a HELLO"),
        pytest.param(stray(1, kind=Type.RETRY, size=100), id="RETRY"),
        pytest.param(stray(1, kind=Type.HELLO_ACK, size=300), id="HELLO_ACK"),
        pytest.param(stray(1, kind=Type.NO_SESSION), id="NO_SESSION"),
        pytest.param(hello()[: wire.OVERHEAD], id="header and tag"),
        pytest.param(hello()[: wire.OVERHEAD + wire.HELLO_LEAST_BODY - 1], id="short HELLO"),
        pytest.param(hello(claim=WIDEST)[:-1], id="claim cut off"),
        pytest.param(altered((4, 3)), id="cipher"),
        pytest.param(altered((5, 2)), id="key mode"),
        pytest.param(altered((128, 0)), id="no identifier"),
        pytest.param(altered((128, 65)), id="longest identifier"),
        pytest.param(altered((129, 17)), id="most prefixes"),
    ],
)
def test_what_cannot_be_a_datagram_to_a_router_is_malformed(sifter: Sifter, junk: bytes) -> None:
    sifter.sieve.know(1)
    sifter.sieve.allow(1, 0)
    assert sifter.sift(junk) == []
    assert sifter.sieve.sifted == Sifted(datagrams=1, malformed=1)


@each_codec
def test_sessions_that_are_known_pass_and_not_their_hellos(sifter: Sifter) -> None:
    known = [0, 5, 9, 1 << 31, (1 << 32) - 1]
    order = random.Random(1)  # noqa: S311
    there: set[int] = set()

    def check() -> None:
        for index in {*known, 1, 6, 10}:
            assert sifter.sift(stray(index)) == ([0] if index in there else [])

    for index in order.sample(known, 5):
        there.add(index)
        for _ in range(2):
            sifter.sieve.know(index)
        check()
    for index in order.sample(known, 5):
        there.discard(index)
        for _ in range(2):
            sifter.sieve.part(index)
        check()
    sifter.sieve.know(5)
    for kind in set(Type) - {Type.HELLO, Type.HELLO_ACK, Type.RETRY, Type.NO_SESSION}:
        assert sifter.sift(stray(5, kind)) == [0]
    unproven = hello(master=b"x" * 32)
    assert sifter.sift(unproven[:4] + (5).to_bytes(4, "big") + unproven[8:]) == []


@each_codec
def test_so_many_trains_of_unknown_sessions_are_answered(sifter: Sifter) -> None:
    sifter.sieve.allow(2, 0)
    assert sifter.sift(hello(master=b"x" * 32)) == []
    assert sifter.sift(stray(1), stray(2), stray(3)) == [0]
    sifter.sieve.know(3)
    assert sifter.sift(stray(3), stray(4), stray(5)) == [0, 1]
    assert sifter.sift(stray(1)) == []
    sifter.sieve.allow(1, 0)
    sifter.sieve.allow(0, 0)
    assert sifter.sift(stray(1)) == []
    assert sifter.sieve.sifted == Sifted(datagrams=9, tag=1, no_session=5)


@each_codec
def test_a_proven_hello_is_found_among_junk(sifter: Sifter) -> None:
    proven, junk = hello(KeyMode.DEVICE), hello(KeyMode.DEVICE, master=b"x" * 32)
    assert sifter.sift(*[junk] * 30, proven, *[junk] * 9) == [30]
    assert sifter.sift(*[junk] * 10, stray(1)) == []
    wide = hello(claim=WIDEST)
    assert sifter.sift(wide, hello(claim=WIDEST, master=b"x" * 32), proven) == [0, 2]
    assert sifter.sieve.sifted == Sifted(datagrams=40 + 11 + 3, tag=39 + 10 + 1, no_session=1)


@each_codec
def test_it_drops_until_something_is_to_be_looked_at_or_it_has_seen_enough(sifter: Sifter) -> None:
    for _ in range(7):
        sifter.send(stray(1), stray(2))
    sifter.send(hello())
    sifter.send(stray(1))
    assert sifter.receive(3) == Sieved.SPENT
    assert sifter.sieve.sifted == Sifted(datagrams=6, no_session=6)
    assert sifter.receive(0) == Sieved.SPENT
    assert sifter.receive(100) == Sieved.WORTH
    assert (sifter.sieve.worth, sifter.intake.length) == ([0], len(hello()))
    assert sifter.sieve.sifted.datagrams == 15
    assert sifter.receive(1) == Sieved.SPENT
    assert sifter.receive(1) == Sieved.NOTHING
    assert sifter.sieve.sifted == Sifted(datagrams=16, no_session=15)
    sifter.send(hello())
    assert sifter.receive(1) == Sieved.WORTH
    assert sifter.receive(1) == Sieved.NOTHING
    assert sifter.sieve.worth == []


@each_codec
def test_each_hello_of_a_train_is_one_of_those_and_its_sender_is_known(sifter: Sifter) -> None:
    junk = hello(master=b"x" * 32)
    for _ in range(4):
        sifter.send(*[junk] * 10)
    assert sifter.receive(15) == Sieved.SPENT
    assert sifter.sieve.sifted == Sifted(datagrams=20, tag=20)
    assert sifter.sieve.wrong_peer[:2] == sifter.sender.local_address[:2]
    with sockets.socket(sockets.AF_INET, sockets.SOCK_DGRAM) as another:
        another.sendto(hello(), sifter.socket.local_address[:2])
    assert sifter.receive(100) == Sieved.WORTH
    assert sifter.sieve.wrong_peer[:2] == sifter.sender.local_address[:2]
    assert sifter.intake.peer != sifter.sieve.wrong_peer


@each_codec
def test_a_train_that_begins_with_a_sessions_datagram_passes_whole(sifter: Sifter) -> None:
    sifter.sieve.know(5)
    for kind in (Type.HELLO, Type.HELLO_ACK, Type.RETRY, Type.NO_SESSION):
        sifter.send(stray(5, kind, 400), stray(5, kind, 400))
    sifter.send(stray(5), stray(6), stray(6))
    receive = sifter.sieve.receive_known
    assert receive(sifter.socket, sifter.intake, 100) == Sieved.WORTH
    assert sifter.intake.index == 5
    assert sifter.sieve.worth == []
    assert sum(vars(sifter.sieve.sifted).values()) == 2 * 8, "the handshakes' alone"
    assert sifter.sieve.sift(sifter.intake, wire.OVERHEAD) == []
    assert sifter.sieve.sifted.no_session == 2
    assert receive(sifter.socket, sifter.intake, 100) == Sieved.NOTHING


@each_codec
def test_an_error_of_an_earlier_datagram_is_told(codec: Codec) -> None:
    with sockets.socket(sockets.AF_INET, sockets.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        here = UdpSocket("127.0.0.1", 0, peer=nobody.getsockname())
    here.send_one(b"anything")
    sieve = codec.sieve()
    assert sieve.receive(here, codec.intake(), 1) == Sieved.ERROR
    assert sieve.receive(here, codec.intake(), 1) == Sieved.NOTHING
    here.close()


prefixes = st.one_of(
    st.builds(
        lambda address, bits: ipaddress.ip_network((address, bits), strict=False),
        st.integers(0, (1 << 32) - 1),
        st.integers(0, 32),
    ),
    st.builds(
        lambda address, bits: ipaddress.ip_network((address, bits), strict=False),
        st.integers(1 << 32, (1 << 128) - 1),
        st.integers(0, 128),
    ),
)


@st.composite
def claims(draw: st.DrawFn) -> Claim:
    apart: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = []
    for prefix in draw(st.lists(prefixes, max_size=wire.MOST_PREFIXES)):
        if not any(prefix.overlaps(other) for other in apart):
            apart.append(prefix)
    return Claim(
        draw(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,63}", fullmatch=True)),
        ipaddress.IPv4Address(draw(st.integers(1, (1 << 32) - 1))),
        draw(st.none() | st.builds(ipaddress.IPv6Address, st.integers(1, (1 << 128) - 1))),
        wire.in_order(apart),
        draw(st.integers(0, wire.MOST_GENERATION)),
    )


@st.composite
def datagrams(draw: st.DrawFn) -> bytes:
    """HELLOs that are right, padded, altered with a right tag or without, and other bytes."""
    mode, key_id = draw(st.sampled_from(KeyMode)), draw(st.sampled_from([*MASTERS]))
    made = bytearray(hello(mode, key_id, draw(claims())))
    padding = draw(st.sampled_from([0, 0, 1, 200]))
    made[-wire.TAG_BYTES : -wire.TAG_BYTES] = bytes(padding)
    # Where a change matters most: in the header, what is fixed, and the claim's two lengths.
    places = st.sampled_from([*range(wire.HEADER_BYTES + 8), 148, 149]) | st.integers(
        0, len(made) - 1
    )
    for place in draw(st.lists(places, max_size=3)):
        made[place] = draw(st.integers(0, 255) | st.sampled_from([0, 1, 2, 16, 17, 64, 65]))
    made[0] = draw(st.sampled_from([0x24] * 9 + [made[0]]))
    if draw(st.booleans()):
        made = bytearray(resigned(bytes(made), key_id))
    return bytes(made[: draw(st.sampled_from([len(made)] * 4 + [len(made) - 1, 244, 243, 52]))])


@given(datagrams(), st.sampled_from(MODES))
@settings(max_examples=500, deadline=None)
def test_both_codecs_pass_what_a_router_would_take(
    both: list[Sifter], datagram: bytes, modes: frozenset[KeyMode]
) -> None:
    before = [replace(sifter.sieve.sifted) for sifter in both]
    in_c, in_python = (bool(sifter.sift(datagram)) for sifter in both)
    assert in_c == in_python
    for counted in ("datagrams", "malformed", "tag", "no_session"):
        rises = [
            getattr(sifter.sieve.sifted, counted) - getattr(was, counted)
            for sifter, was in zip(both, before, strict=True)
        ]
        assert rises[0] == rises[1]
    if datagram[0] != wire.first_byte(Type.HELLO):
        return
    try:
        Responder(IDENTITY, MASTERS, modes).check(datagram)
        taken = True
    except ModeRefused:
        taken = True
    except BadTag:
        taken = False
        assert not in_c
    except HandshakeError:
        taken = False
    assert in_c or not taken


def test_the_differential_test_meets_every_answer() -> None:
    """Its HELLOs are right often enough, and wrong in each of the ways."""
    met = set()

    @given(datagrams(), st.sampled_from(MODES))
    @settings(max_examples=400, deadline=None, database=None, derandomize=True)
    def look(datagram: bytes, modes: frozenset[KeyMode]) -> None:
        try:
            met.add(Responder(IDENTITY, MASTERS, modes).check(datagram).hello.key_mode)
        except HandshakeError as error:
            met.add(type(error))

    look()
    assert met == {*KeyMode, ModeRefused, BadTag, HandshakeError}


@given(claims(), st.integers(0, 255))
def test_the_claim_in_a_hello_is_what_its_device_key_is_made_from(
    claim: Claim, key_id: int
) -> None:
    body = Hello(1, bytes(32), bytes(32), claim, key_mode=KeyMode.DEVICE).encode()
    length = len(claim.encode())
    key = keys.DeviceMaster(MASTERS[0], key_id).hello_key(body[128 : 128 + length])
    wanted = keys.hello_key(keys.device_key(MASTERS[0], claim, key_id))
    assert key.tag(b"anything") == wanted.tag(b"anything")
