"""Both codecs: the same bytes in give the same bytes, sends, counts and drop reasons out."""

from __future__ import annotations

import struct
from dataclasses import astuple
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nrs.tunnel import wire
from nrs.tunnel.codec.carrier import Stop
from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.codec.sealing import Check, Opener, Sealer
from nrs.tunnel.inner import Owned
from nrs.tunnel.wire import HEADER_BYTES, OVERHEAD, Cipher, Type

from .codecs import CODECS, Opening, count_from, opening, sealing

KEY = bytes(range(32))
INDEX = 0x01020304
V4 = (bytes((10, 10, 100, 1)), bytes((198, 51, 100, 10)))
V6 = (
    bytes.fromhex("fd0000100100" + "00" * 9 + "01"),
    bytes.fromhex("20010db80100" + "00" * 9 + "10"),
)
OWNED = Owned([V4[0], V6[0]])
VNET = struct.Struct("=BBHHHH")


def packet(
    version: int,
    protocol: int,
    payload: bytes,
    *,
    tos: int = 0,
    ttl: int = 64,
    flags: int = 0x18,
    source: bytes | None = None,
    ports: bytes = b"\x9c\x40\x01\xbb",
) -> bytes:
    own, far = V4 if version == 4 else V6
    own = source or own
    if protocol == 6:
        transport = (
            ports + struct.pack("!IIBBHHH", 1000, 2000, 0x80, flags, 500, 0, 0) + bytes(range(12))
        )
    elif protocol == 17:
        transport = ports + struct.pack("!HH", 8 + len(payload), 0)
    else:
        transport = b"\x08\0\0\0\0\1\0\2"
    body = transport + payload
    if version == 4:
        return (
            struct.pack("!BBHHHBBH", 0x45, tos, 20 + len(body), 77, 0x4000, ttl, protocol, 0x1234)
            + own
            + far
            + body
        )
    return struct.pack("!IHBB", 6 << 28 | tos << 20, len(body), protocol, ttl) + own + far + body


versions = st.sampled_from([4, 6])
tos = st.sampled_from([0, 0, 0, 1, 2, 3, 0xB8])
ciphers = st.sampled_from(Cipher)
each_cipher = pytest.mark.parametrize("cipher", Cipher, ids=lambda cipher: cipher.text)


@st.composite
def small_frames(draw: st.DrawFn) -> bytes:
    version, protocol = draw(versions), draw(st.sampled_from([6, 17, 1]))
    inner = packet(
        version,
        protocol,
        draw(st.binary(max_size=draw(st.sampled_from([8, 100, 1340])))),
        tos=draw(tos),
        ports=draw(st.sampled_from([b"\x9c\x40\x01\xbb", b"\0\x35\0\x35"])),
    )
    start = 20 if version == 4 else 40
    if protocol in {6, 17} and draw(st.booleans()):
        odd = draw(st.sampled_from([0, 0, 0, 2]))
        return VNET.pack(1, 0, 0, 0, start + odd, 16 if protocol == 6 else 6) + inner
    return VNET.pack(0, 0, 0, 0, 0, 0) + inner


@st.composite
def super_frames(draw: st.DrawFn) -> bytes:
    version, protocol = draw(versions), draw(st.sampled_from([6, 17]))
    gso = draw(st.one_of(st.integers(1, 1360), st.integers(1360, 9000)))
    payload = bytes(draw(st.integers(0, min(60_000, 70 * gso))))
    inner = packet(
        version,
        protocol,
        payload,
        tos=draw(tos),
        flags=draw(st.sampled_from([0x10, 0x18, 0x19, 0x90])),
    )
    start = 20 if version == 4 else 40
    kind = {(4, 6): 1, (6, 6): 4}.get((version, protocol), 5)
    return VNET.pack(1, kind, 0, gso, start, 16 if protocol == 6 else 6) + inner


@st.composite
def bursts(draw: st.DrawFn) -> bytes:
    """The body of a BATCH: packets that mostly go on where the one before ended."""
    version, protocol = draw(versions), draw(st.sampled_from([17, 17, 17, 6]))
    size, body = draw(st.integers(0, 40)), b""
    for number in range(draw(st.integers(1, 12))):
        odd = draw(st.integers(0, 9))
        length = size if odd != 1 else draw(st.integers(0, 60))
        inner = bytearray(
            packet(
                version if odd != 2 else 10 - version,
                protocol if odd != 3 else 1,
                bytes(length),
                ttl=64 if odd != 4 else 63,
                source=b"\x0a\x0a\x64\x02" if odd == 5 and version == 4 else None,
            )
        )
        if inner[0] >> 4 == 4 and odd != 6:
            inner[4:6] = number.to_bytes(2, "big")
        if odd == 7:
            inner[draw(st.integers(0, len(inner) - 1))] ^= 1 << draw(st.integers(0, 7))
        body += (len(inner) | (odd != 8) << 15).to_bytes(2, "big") + bytes(inner)
    return body


frame_lists = st.lists(
    st.one_of(small_frames(), small_frames(), super_frames(), st.binary(max_size=60)),
    min_size=1,
    max_size=12,
)


def within_arena(frames: list[bytes]) -> list[bytes]:
    kept, used = [], 0
    for frame in frames:
        used += len(frame)
        if used > 190_000:
            break
        kept.append(frame)
    return kept


Limit = tuple[int, bool]
"""Longest body, and whether packets that are too long for it may be refused."""
FULL: Limit = (1400, True)
limits = st.tuples(
    st.one_of(st.sampled_from([476, 1180, 1392, 1400, 8920]), st.integers(400, 1500)), st.booleans()
)


def sealed(
    codec: Codec,
    frames_in: list[bytes],
    *,
    by_flow: bool = True,
    limit: Limit = FULL,
    cipher: Cipher = Cipher.NONE,
) -> tuple[list[Any], list[bytes], Sealer]:
    """What sealing reports and makes, one entry a call, and the datagrams."""
    frames, made = codec.frames(), sealing(codec)
    sealer = codec.sealer(KEY, INDEX, 1, 0, cipher=cipher)
    sealer.limit(limit[0], settled=limit[1])
    frames.load(frames_in)
    report: list[Any] = []
    datagrams: list[bytes] = []
    first = 0
    while first < frames.count:
        end, flow, tcp_flags = frames.flow(first)
        report += [end, flow, tcp_flags]
        end = end if by_flow else frames.count
        while first < end:
            made.clear()
            result = made.seal(sealer, frames, first, end)
            sends = made.sends
            report += [astuple(result), *sends]
            for send in sends:
                for at in range(send.offset, send.offset + send.length, send.each):
                    datagrams.append(
                        bytes(made.view[at : min(at + send.each, send.offset + send.length)])
                    )
            first = max(result.next, first + 1)
    return report, datagrams, sealer


def opened(
    room: Opening,
    opener: Opener,
    train: bytes,
    each: int,
    ecn: int,
    cipher: Cipher = Cipher.NONE,
) -> tuple[list[Any], list[bytes]]:
    """What opening reports, past every stop, with the bodies of control, and the frames."""
    report: list[Any] = []
    start = 0
    view = memoryview(bytearray(train))
    while start < len(train):
        result = room.open(opener, view, each, start, ecn)
        report.append(astuple(result))
        if result.stop is Stop.CONTROL:
            end = result.at + result.size - cipher.tag_bytes
            report.append(bytes(view[result.at + HEADER_BYTES : end]))
        start = result.at if result.stop is Stop.DONE else result.at + each
    return report, room.take()


def openers(check: Check = Check.SOURCE, cipher: Cipher = Cipher.NONE) -> list[Opener]:
    return [codec.opener(KEY, INDEX, OWNED, check, cipher=cipher) for codec in CODECS]


@settings(max_examples=150, deadline=None)
@given(frame_lists, st.booleans(), limits, ciphers)
def test_sealing(frames: list[bytes], by_flow: bool, limit: Limit, cipher: Cipher) -> None:
    agree_on(within_arena(frames), by_flow, limit, cipher)


def agree_on(
    frames: list[bytes], by_flow: bool, limit: Limit = FULL, cipher: Cipher = Cipher.NONE
) -> None:
    (c_report, c_datagrams, c_sealer), (p_report, p_datagrams, p_sealer) = (
        sealed(codec, frames, by_flow=by_flow, limit=limit, cipher=cipher) for codec in CODECS
    )
    overhead = 36 if cipher else 52
    room = min(max(limit[0] + overhead, 528), 8972)
    assert max(map(len, c_datagrams), default=0) <= room
    assert c_report == p_report
    assert c_datagrams == p_datagrams
    assert c_sealer.sequence == p_sealer.sequence == len(c_datagrams)


def super_frame(payload: int, gso: int, version: int = 4) -> bytes:
    kind, start = (1, 20) if version == 4 else (4, 40)
    return VNET.pack(1, kind, 0, gso, start, 16) + packet(version, 6, bytes(payload))


@pytest.mark.parametrize("by_flow", [True, False])
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("gso", [1, 500, 1000, 1300, 1328])
def test_where_a_send_is_full(gso: int, version: int, by_flow: bool) -> None:
    """64 datagrams, 65,507 bytes, a shorter last one that still fits or just does not."""
    each = OVERHEAD + (52 if version == 4 else 72) + gso
    room = min(64, 65_507 // each)
    fits = min(gso, 65_507 - room * each - (each - gso))
    for payload in {
        1,
        gso,
        gso + 1,
        room * gso - 1,
        room * gso,
        room * gso + 1,
        room * gso + max(1, fits),
        room * gso + max(1, fits) + 1,
    }:
        for before in (
            [],
            [super_frame(gso // 2 + 1, gso, version)],
            [super_frame(2 * gso, gso, version)],
            [VNET.pack(0, 0, 0, 0, 0, 0) + packet(version, 6, bytes(400))],
        ):
            if payload <= 64_000:
                agree_on([*before, super_frame(payload, gso, version)], by_flow)


@settings(max_examples=150, deadline=None)
@given(
    frame_lists,
    st.randoms(use_true_random=False),
    tos,
    st.booleans(),
    st.sampled_from(list(Check)),
    limits,
    ciphers,
)
def test_opening_any_subset_in_any_order_with_any_damage(
    frames: list[bytes],
    random: Any,
    ecn: int,
    udp_offload: bool,
    check: Check,
    limit: Limit,
    cipher: Cipher,
) -> None:
    _, datagrams, _ = sealed(CODECS[1], within_arena(frames), limit=limit, cipher=cipher)
    if not datagrams:
        return
    rooms = [opening(codec, udp_offload=udp_offload) for codec in CODECS]
    both = openers(check, cipher)
    sample = [d for d in datagrams if random.random() > 0.1]
    if random.random() < 0.3:
        random.shuffle(sample)
    for at, datagram in enumerate(sample):
        if random.random() < 0.1:
            damaged = bytearray(datagram)
            damaged[random.randrange(len(damaged))] ^= 1 << random.randrange(8)
            sample[at] = bytes(damaged)
    while sample:
        if random.random() < 0.05:
            for room in rooms:
                room.age()
        each = len(sample[0])
        train = sample.pop(0)
        while (
            sample
            and len(sample[0]) <= each
            and len(train) % each == 0
            and len(train) + each < 65_536
        ):
            train += sample.pop(0)
        outcome = [
            opened(room, opener, train, each, ecn & 3, cipher)
            for room, opener in zip(rooms, both, strict=True)
        ]
        assert outcome[0] == outcome[1]
    assert both[0].highest(0) == both[1].highest(0)
    assert both[0].received(0) == both[1].received(0)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from([Type.DATA, Type.SEGMENT, Type.BATCH, Type.FRAGMENT]),
    st.integers(0, 255),
    st.integers(0, 2**32 - 1),
    st.one_of(
        st.binary(max_size=120),
        st.builds(packet, versions, st.sampled_from([6, 17, 0, 43]), st.binary(max_size=80)),
    ),
    st.booleans(),
    ciphers,
)
def test_authentic_nonsense(
    kind: Type, flags: int, specific: int, body: bytes, udp_offload: bool, cipher: Cipher
) -> None:
    """What a peer with the key may send all the same."""
    sealer = CODECS[1].sealer(KEY, INDEX, cipher=cipher)
    datagram = sealer.control(kind, body, flags=flags, specific=specific)
    outcome = [
        opened(
            opening(codec, udp_offload=udp_offload),
            codec.opener(KEY, INDEX, OWNED, Check.SOURCE, cipher=cipher),
            datagram,
            len(datagram),
            0,
            cipher,
        )
        for codec in CODECS
    ]
    assert outcome[0] == outcome[1]


@st.composite
def nonsense(draw: st.DrawFn) -> tuple[bytes, int, Cipher]:
    """A train of authentic datagrams that fit each other almost, their length and cipher."""
    cipher = draw(ciphers)
    sealer = CODECS[1].sealer(KEY, INDEX, cipher=cipher)
    version, protocol = draw(versions), draw(st.sampled_from([6, 17, 17, 1]))
    payload = draw(st.integers(1, 40))
    whole = packet(version, protocol, bytes(payload), tos=draw(tos))
    head, index = len(whole) - payload, draw(st.sampled_from([0, 0, 1, 253]))
    train = b""
    for _ in range(draw(st.integers(1, 8))):
        body, kind, flags = bytearray(whole), Type.SEGMENT, draw(st.sampled_from([1, 1, 1, 3]))
        specific = (index & 255) << 24 | head << 16 | payload
        what = draw(st.integers(0, 15))
        if what == 0:
            body[draw(st.integers(0, len(body) - 1))] ^= 1 << draw(st.integers(0, 7))
        elif what == 1:
            specific ^= 1 << draw(st.integers(0, 31))
        elif what == 2:
            index += draw(st.integers(-1, 2))
        elif what == 3:
            kind, specific = Type.DATA, draw(st.integers(0, 63)) << 16 | draw(st.integers(0, 20))
        elif what == 4:
            kind = Type.BATCH
            inner = bytes(body[: len(body) - 2])
            body = bytearray(struct.pack("!H", draw(st.sampled_from([0, 0x8000])) | len(inner)))
            body += inner
        elif what == 5:
            step = draw(st.sampled_from([-1, 1, 9000, 2**40]))
            count_from(sealer, max(0, sealer.sequence + step))
        elif what == 6 and draw(st.booleans()):
            kind = draw(st.sampled_from(list(Type)))
        index += 1
        train += sealer.control(kind, bytes(body), flags=flags, specific=specific)
    each = draw(
        st.sampled_from([len(whole) + cipher.overhead] * 7 + [1 + draw(st.integers(0, 1500))])
    )
    return train + train[: draw(st.sampled_from([0, 0, 1, 60]))], each, cipher


@settings(max_examples=400, deadline=None)
@given(nonsense(), tos, st.booleans())
def test_trains_of_authentic_nonsense(
    sent: tuple[bytes, int, Cipher], ecn: int, udp_offload: bool
) -> None:
    train, each, cipher = sent
    outcome = [
        opened(
            opening(codec, udp_offload=udp_offload),
            codec.opener(KEY, INDEX, OWNED, Check.SOURCE, cipher=cipher),
            train,
            each,
            ecn & 3,
            cipher,
        )
        for codec in CODECS
    ]
    assert outcome[0] == outcome[1]


def valid(kind: str, cipher: Cipher) -> bytes:
    small = VNET.pack(0, 0, 0, 0, 0, 0) + packet(4, 17, b"x" * 20)
    if kind in {"PROBE", "BYE"}:
        sealer = CODECS[1].sealer(KEY, INDEX, cipher=cipher)
        return sealer.control(Type[kind], bytes(24 * (kind == "PROBE")))
    frames = {"DATA": [small], "BATCH": [small, small], "SEGMENT": [super_frame(30, 40, 6)]}[kind]
    _, (datagram,), _ = sealed(CODECS[1], frames, cipher=cipher)
    assert datagram[0] == wire.first_byte(Type[kind])
    return datagram


@settings(max_examples=400, deadline=None)
@given(bursts(), st.booleans(), tos)
def test_joining_small_packets(body: bytes, udp_offload: bool, ecn: int) -> None:
    datagram = CODECS[1].sealer(KEY, INDEX).control(Type.BATCH, body)
    outcome = [
        opened(
            opening(codec, udp_offload=udp_offload),
            codec.opener(KEY, INDEX, OWNED, Check.SOURCE),
            datagram,
            len(datagram),
            ecn & 3,
        )
        for codec in CODECS
    ]
    assert outcome[0] == outcome[1]


@pytest.mark.parametrize("kind", ["DATA", "SEGMENT", "BATCH", "PROBE", "BYE"])
@each_cipher
@pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
def test_every_truncation_and_every_flipped_bit_is_dropped(
    codec: Codec, kind: str, cipher: Cipher
) -> None:
    datagram = valid(kind, cipher)
    opener = codec.opener(KEY, INDEX, OWNED, Check.SOURCE, cipher=cipher)
    room = opening(codec)
    for bit in range(8 * len(datagram)):
        damaged = bytearray(datagram)
        damaged[bit // 8] ^= 1 << bit % 8
        result = room.open(opener, memoryview(damaged), len(damaged), 0, 0)
        # Another index, or HELLO by its type: not this session's, and counted by the engine.
        foreign = 32 <= bit < 64 or damaged[0] in {0x24, 0x25, 0x2F}
        assert (result.stop is Stop.FOREIGN) == foreign, f"bit {bit}"
        assert sum(result.drops) == (not foreign), f"bit {bit}"
        assert not result.authentic
    for length in range(1, len(datagram)):
        result = room.open(opener, memoryview(bytearray(datagram[:length])), length, 0, 0)
        assert sum(result.drops) == 1, f"{length} bytes"
    assert room.take() == []
    result = room.open(opener, memoryview(bytearray(datagram)), len(datagram), 0, 0)
    assert result.authentic == 1


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.one_of(
            st.integers(1, 300),
            st.integers(8000, 8400),
            st.integers(16000, 16700),
            st.integers(2**40, 2**40 + 9000),
        ),
        min_size=1,
        max_size=60,
    )
)
def test_replay_windows(sequences: list[int]) -> None:
    both = openers()
    rooms = [opening(codec) for codec in CODECS]
    for sequence in sequences:
        sealer = CODECS[1].sealer(KEY, INDEX)
        count_from(sealer, sequence - 1)
        datagram = sealer.control(Type.PROBE, bytes(24))
        outcome = [
            opened(room, opener, datagram, len(datagram), 0)
            for room, opener in zip(rooms, both, strict=True)
        ]
        assert outcome[0] == outcome[1]


@each_cipher
def test_a_control_datagram_is_the_same_from_both(cipher: Cipher) -> None:
    datagrams = {
        codec.sealer(KEY, 7, 2, 3, cipher=cipher).control(Type.ROLE, b"body", flags=1, specific=9)
        for codec in CODECS
    }
    assert len(datagrams) == 1
    datagram = datagrams.pop()
    assert len(datagram) == (40 if cipher else 56)
    assert (b"body" in datagram) == (cipher is Cipher.NONE)
