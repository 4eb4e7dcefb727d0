"""What a peer that holds a session's keys, such as a stolen endpoint, may still not do."""

from __future__ import annotations

import struct

import pytest

from nrs.tunnel.codec.c.crypto import CCrypto
from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.codec.python.opening import Opened, Reason
from nrs.tunnel.codec.sealing import Check
from nrs.tunnel.wire import OVERHEAD, Cipher, DataFlag, Type

from .codecs import CODECS, opening
from .test_codecs_agree import INDEX, KEY, OWNED, V4, V6, packet

PARTIAL = int(DataFlag.PARTIAL_CHECKSUM)
LAST = int(DataFlag.LAST)
CE = 3
BOTH = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
FOREIGN4 = bytes((10, 10, 100, 2))
FOREIGN6 = V6[0][:-1] + b"\x02"


def send(
    codec: Codec,
    *datagrams: tuple[Type, bytes, int, int],
    ecn: int = 0,
    udp_offload: bool = True,
) -> tuple[Opened, list[bytes]]:
    """One train of authentic (type, body, flags, specific), and the packets that come out."""
    sealer = codec.sealer(KEY, INDEX)
    sealed: list[bytes] = [
        sealer.control(kind, body, flags=f, specific=s) for kind, body, f, s in datagrams
    ]
    train = memoryview(bytearray(b"".join(sealed)))
    frames = opening(codec, udp_offload=udp_offload)
    opener = codec.opener(KEY, INDEX, OWNED, Check.SOURCE)
    opened = frames.open(opener, train, len(sealed[0]), 0, ecn)
    return opened, frames.take()


def dropped(opened: Opened, reason: Reason) -> bool:
    return opened.drops == tuple(int(reason == other) for other in Reason)


def segment(
    head: bytes, payload: bytes, index: int = 0, *, last: bool = True
) -> tuple[Type, bytes, int, int]:
    specific = index << 24 | len(head) << 16 | len(payload)
    return Type.SEGMENT, head + payload, PARTIAL | (LAST if last else 0), specific


def entry(data: bytes, partial: bool = False) -> bytes:
    return struct.pack("!H", len(data) | partial << 15) + data


@BOTH
@pytest.mark.parametrize("start", [*range(41), 42, 44, 60])
@pytest.mark.parametrize("offset", [0, 1, 6, 16])
def test_no_checksum_is_written_into_the_ipv6_header(codec: Codec, start: int, offset: int) -> None:
    """A kernel fills the field in after the addresses were checked: it could change them."""
    opened, frames = send(
        codec, (Type.DATA, packet(6, 17, bytes(40)), PARTIAL, start << 16 | offset)
    )
    if start < 40:
        assert dropped(opened, Reason.MALFORMED)
        assert frames == []
    else:
        assert opened.packets == len(frames) == 1


@BOTH
@pytest.mark.parametrize(("words", "least"), [(0, 20), (4, 20), (5, 20), (6, 24), (15, 60)])
def test_no_checksum_is_written_into_the_ipv4_header(codec: Codec, words: int, least: int) -> None:
    body = bytes((0x40 | words,)) + packet(4, 17, bytes(60))[1:]
    for start in range(64):
        opened, frames = send(codec, (Type.DATA, body, PARTIAL, start << 16))
        assert dropped(opened, Reason.MALFORMED) == (start < least), start
        assert len(frames) == (start >= least)


@BOTH
def test_a_checksum_field_ends_within_the_packet(codec: Codec) -> None:
    body = packet(6, 17, b"")
    for start, offset in ((40, 6), (46, 0), (40, 7), (47, 0), (40, 0xFFFF), (0xFFFF, 0xFFFF)):
        opened, frames = send(codec, (Type.DATA, body, PARTIAL, start << 16 | offset))
        assert len(frames) == (start + offset + 2 <= len(body))
        assert dropped(opened, Reason.MALFORMED) == (not frames)


@BOTH
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("protocol", [6, 17, 1])
def test_no_type_carries_a_foreign_source(codec: Codec, version: int, protocol: int) -> None:
    foreign = packet(version, protocol, b"payload", source=FOREIGN4 if version == 4 else FOREIGN6)
    for kind, body, flags, specific in (
        (Type.DATA, foreign, 0, 0),
        (Type.DATA, foreign, PARTIAL, (20 if version == 4 else 40) << 16),
        (Type.BATCH, entry(foreign), 0, 1),
        (Type.BATCH, entry(foreign, True), 0, 1),
    ):
        opened, frames = send(codec, (kind, body, flags, specific))
        assert dropped(opened, Reason.SOURCE)
        assert frames == []
    if protocol != 1:
        opened, frames = send(codec, segment(foreign[:-7], foreign[-7:]))
        assert dropped(opened, Reason.SOURCE)
        assert frames == []


@BOTH
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("udp_offload", [True, False])
@pytest.mark.parametrize("protocol", [6, 17])
def test_a_run_is_not_continued_with_another_source(
    codec: Codec, version: int, udp_offload: bool, protocol: int
) -> None:
    """The second slice fits the first in everything but one byte of its headers."""
    whole = packet(version, protocol, bytes(8))
    head = whole[:-8]
    for position in range(len(head)):
        changed = bytearray(head)
        changed[position] ^= 0x01
        opened, frames = send(
            codec,
            segment(head, b"A" * 8, 0, last=False),
            segment(bytes(changed), b"B" * 8, 1),
            udp_offload=udp_offload,
        )
        own = slice(12, 16) if version == 4 else slice(8, 24)
        for frame in frames:
            assert frame[10:][own] == (V4 if version == 4 else V6)[0], position
        assert not any(b"AAAABBBB" in frame for frame in frames), position
        assert opened.packets == len(frames)
        assert opened.packets + sum(opened.drops) == 2


@BOTH
def test_an_ipv4_mapped_source_is_not_the_ipv4_address(codec: Codec) -> None:
    for source in (bytes(10) + b"\xff\xff" + V4[0], bytes(12) + V4[0], V4[0] + bytes(12)):
        opened, frames = send(codec, (Type.DATA, packet(6, 17, b"x", source=source), 0, 0))
        assert dropped(opened, Reason.SOURCE)
        assert frames == []


@BOTH
@pytest.mark.parametrize("protocol", [6, 17])
@pytest.mark.parametrize("fragment", [0x2000, 0x2001, 0x0001, 0x1FFF, 0x0100])
def test_no_fragment_is_a_super_packet(codec: Codec, protocol: int, fragment: int) -> None:
    whole = packet(4, protocol, bytes(16))
    head = whole[:6] + struct.pack("!H", fragment) + whole[8:-16]
    opened, frames = send(codec, segment(head, bytes(8), 0, last=False), segment(head, bytes(8), 1))
    assert opened.drops == (0, 0, 0, 2)
    assert frames == []


@BOTH
@pytest.mark.parametrize("version", [4, 6])
@pytest.mark.parametrize("protocol", [6, 17])
def test_header_lengths_other_than_the_real_one_are_refused(
    codec: Codec, version: int, protocol: int
) -> None:
    whole = packet(version, protocol, bytes(100))
    right = len(whole) - 100
    for head in range(256):
        opened, frames = send(codec, segment(whole[:head], bytes(100)))
        assert bool(frames) == (head == right), head
        assert dropped(opened, Reason.MALFORMED) == (head != right)


@BOTH
def test_extension_headers_that_run_out_of_the_headers_are_refused(codec: Codec) -> None:
    whole = packet(6, 6, b"")
    for extension in (0, 43, 60):
        for length in (0, 1, 5, 31, 255):
            options = bytes((extension, length)) + bytes(6)
            head = whole[:6] + bytes((extension,)) + whole[7:40] + options * 3
            opened, frames = send(codec, segment(head, b"x"))
            assert dropped(opened, Reason.MALFORMED)
            assert frames == []


@BOTH
def test_a_datagram_is_one_drop_however_many_packets_it_loses(codec: Codec) -> None:
    foreign, good = packet(4, 17, b"x", source=FOREIGN4), packet(4, 17, b"good")
    nonsense = bytes(20)
    for body, packets, reason in (
        (entry(foreign) * 3, 0, Reason.SOURCE),
        (entry(nonsense) * 3 + entry(good), 1, Reason.MALFORMED),
        (entry(foreign) + entry(nonsense) + entry(good), 1, Reason.SOURCE),
        (entry(nonsense) + entry(good) + entry(foreign), 1, Reason.MALFORMED),
        (entry(foreign) + entry(good) + b"\0", 1, Reason.SOURCE),
    ):
        opened, frames = send(codec, (Type.BATCH, body, 0, 0))
        assert dropped(opened, reason)
        assert opened.packets == len(frames) == packets


@BOTH
@pytest.mark.parametrize("ecn", range(4))
def test_the_shortest_packets_survive_every_outer_ecn(codec: Codec, ecn: int) -> None:
    for tos in range(4):
        for body in (packet(4, 17, b"", tos=tos)[:20], packet(6, 17, b"", tos=tos)[:40]):
            opened, frames = send(codec, (Type.DATA, body, 0, 0), ecn=ecn)
            assert len(frames) == (not (ecn == CE and tos == 0))
            assert dropped(opened, Reason.MALFORMED) == (not frames)
        for body in (packet(4, 17, b"", tos=tos)[:19], packet(6, 17, b"", tos=tos)[:39], b""):
            opened, frames = send(codec, (Type.DATA, body, 0, 0), ecn=ecn)
            assert dropped(opened, Reason.MALFORMED)
            assert frames == []


@BOTH
def test_every_flag_and_type_of_an_empty_body_is_dropped_or_control(codec: Codec) -> None:
    for first in range(16):
        opened, frames = send(codec, (Type(first) if first in set(Type) else first, b"", 0xFF, 0))  # type: ignore[arg-type]
        control = first in {6, 7, 8, 9, 11, 12, 13, 14}
        handshake = first in {4, 5, 15}
        assert opened.authentic == (control or first <= 3)
        assert opened.at == (0 if control or handshake else OVERHEAD)
        assert sum(opened.drops) == (not control and not handshake and first != 2)
        assert frames == []


@pytest.mark.parametrize("cipher", Cipher)
def test_the_c_codec_refuses_a_datagram_too_short_for_a_tag(cipher: Cipher) -> None:
    from _nrs_codec import ffi, lib  # noqa: PLC0415

    crypto = CCrypto()
    opener = lib.nrs_opener_new(crypto.handle, cipher, KEY, INDEX, 1, 0, ffi.NULL)
    try:
        for length in range(cipher.overhead):
            assert (
                lib.nrs_verify(opener, ffi.from_buffer(bytearray(64)), length) == Reason.MALFORMED
            )
    finally:
        lib.nrs_opener_free(opener)
