"""DATA and BATCH, with each codec."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nrs.tunnel import wire
from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.drop import Drop
from nrs.tunnel.wire import Type
from tests.tunnel.carrying import (
    Receiver,
    authentic,
    batch_entry,
    partial,
    plain,
    refused,
    sealed,
    sealer_after,
)
from tests.tunnel.codecs import CODECS
from tests.tunnel.packets import (
    NEEDS_CHECKSUM,
    TCP,
    UDP,
    VNET,
    SuperPacket,
    noise,
    sent_by_kernel,
    udp_packet,
)

V6 = {"source": "fd00:10:100::1", "destination": "2001:db8:100::10"}

pytestmark = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)


@given(length=st.integers(0, 1372), six=st.booleans(), unfinished=st.booleans())
@settings(deadline=None)
def test_one_packet(codec: Codec, length: int, six: bool, unfinished: bool) -> None:
    address = V6 if six else {}
    length = min(length, 1352) if six else length
    packet = udp_packet(noise(length), partial=unfinished, **address)
    start = 40 if six else 20
    frame = partial(packet, start, 6) if unfinished else plain(packet)
    (datagram,) = sealed(codec, [frame])
    assert datagram[0] == 0x20
    assert wire.HEADER.unpack_from(datagram)[6] == (start << 16 | 6 if unfinished else 0)
    receiver = Receiver(codec)
    assert receiver.one(datagram) is None
    (written,) = receiver.frames()
    assert written == frame
    assert (written[0] == NEEDS_CHECKSUM) == unfinished


@given(
    packets=st.lists(
        st.tuples(st.integers(0, 200), st.booleans(), st.booleans()), min_size=2, max_size=20
    )
)
@settings(deadline=None)
def test_a_batch(codec: Codec, packets: list[tuple[int, bool, bool]]) -> None:
    frames, expected = [], []
    for length, six, unfinished in packets:
        address = V6 if six else {}
        packet = udp_packet(noise(length), partial=unfinished, **address)
        frames.append(partial(packet, 40 if six else 20, 6) if unfinished else plain(packet))
        expected.append(udp_packet(noise(length), **address))
    datagrams = sealed(codec, frames)
    assert len(datagrams) <= 1 + sum(len(f) for f in frames) // 1100
    assert all(len(datagram) <= 1452 for datagram in datagrams)
    receiver = Receiver(codec)
    assert receiver.train(datagrams) == []
    assert receiver.packets() == expected
    assert receiver.packet_count == len(expected)


def small(number: int, payload: bytes, *, six: bool = False, **fields: Any) -> bytes:
    """One packet of a row that an application sends."""
    whole = SuperPacket(
        UDP, payload, len(payload), **(V6 if six else {}), identity=0xFFFE + number, **fields
    )
    return whole._build(0, payload, 0, partial=True)


def frames_of_a_batch(codec: Codec, packets: list[bytes], **options: Any) -> list[bytes]:
    """What is written for a BATCH of packets with partial checksums; they arrive as they were."""
    receiver = Receiver(codec, **options)
    body = b"".join(batch_entry(packet, True) for packet in packets)
    assert receiver.one(authentic(Type.BATCH, body)) is None
    assert receiver.packet_count == len(packets)
    frames = receiver.frames()
    arrived = [packet for frame in frames for packet in sent_by_kernel(frame)]
    complete = [
        sent_by_kernel(partial(packet, 40 if packet[0] >> 4 == 6 else (packet[0] & 15) * 4, 6))[0]
        for packet in packets
    ]
    assert arrived == complete
    return frames


@pytest.mark.parametrize("six", [False, True])
def test_a_row_of_small_udp_packets_is_one_frame(codec: Codec, six: bool) -> None:
    packets = [small(n, noise(20, n), six=six) for n in range(4)]
    assert len(frames_of_a_batch(codec, packets)) == 1
    assert len(frames_of_a_batch(codec, [*packets[:3], small(3, b"short", six=six)])) == 1
    assert len(frames_of_a_batch(codec, packets, udp_offload=False)) == 4


@pytest.mark.parametrize(
    "other",
    [
        small(2, noise(21)),  # longer
        small(3, noise(20)),  # another IP id: one is missing
        small(2, noise(20), sport=1),
        small(2, noise(20), destination="198.51.100.11"),
        small(2, noise(20), ip_extra=b"\x01" * 4),
        small(2, noise(20), six=True),
        bytes((0x45, 4)) + small(2, noise(20))[2:],  # DSCP
        small(2, noise(20))[:6] + b"\0\0" + small(2, noise(20))[8:],  # may be fragmented
        small(2, noise(20))[:8] + b"\x3f" + small(2, noise(20))[9:],  # TTL
    ],
    ids=["longer", "id", "port", "address", "options", "family", "dscp", "df", "ttl"],
)
def test_what_the_kernel_would_not_coalesce_stays_apart(codec: Codec, other: bytes) -> None:
    packets = [small(0, noise(20)), small(1, noise(20)), other, small(9, noise(20))]
    receiver = Receiver(codec)
    body = b"".join(batch_entry(packet, True) for packet in packets)
    assert receiver.one(authentic(Type.BATCH, body)) is None
    frames = receiver.frames()
    assert len(frames) == 3
    assert frames[1][VNET.size :] == other


def test_nothing_is_joined_to_a_shorter_packet_or_a_complete_checksum(codec: Codec) -> None:
    packets = [small(0, noise(20)), small(1, b"short"), small(2, noise(20))]
    assert len(frames_of_a_batch(codec, packets)) == 2
    receiver = Receiver(codec)
    body = b"".join(batch_entry(packet, number != 1) for number, packet in enumerate(packets))
    assert receiver.one(authentic(Type.BATCH, body)) is None
    assert len(receiver.frames()) == 3


SPOOFED = udp_packet(b"spoofed", source="10.10.100.2")


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        (b"\0", Drop.MALFORMED),
        (b"\0\0", Drop.MALFORMED),
        (b"\0\0" + batch_entry(udp_packet(b"late")), Drop.MALFORMED),
        (b"\x80\0", Drop.MALFORMED),
        (b"\0\x1c", Drop.MALFORMED),
        (b"\0\x1c" + udp_packet(b"")[:-1], Drop.MALFORMED),
        (b"\x7f\xff" + bytes(40), Drop.MALFORMED),
        (b"\0\x1d" + b"\x55" + udp_packet(b""), Drop.MALFORMED),
        (batch_entry(SPOOFED), Drop.SOURCE),
        (batch_entry(SPOOFED, True), Drop.SOURCE),
    ],
)
def test_what_precedes_a_bad_entry_is_delivered(codec: Codec, tail: bytes, reason: Drop) -> None:
    receiver = Receiver(codec)
    good = udp_packet(b"good")
    assert receiver.one(authentic(Type.BATCH, batch_entry(good) + tail)) is reason
    assert receiver.packets() == [good]


def test_a_refused_entry_does_not_stop_the_rest(codec: Codec) -> None:
    receiver = Receiver(codec)
    good = udp_packet(b"good")
    body = batch_entry(SPOOFED) + batch_entry(good)
    assert receiver.one(authentic(Type.BATCH, body)) is Drop.SOURCE
    assert receiver.packets() == [good]


def test_a_partial_checksum_of_a_protocol_that_has_none_is_ignored(codec: Codec) -> None:
    icmp = bytearray(udp_packet(b"ping"))
    icmp[9] = 1
    receiver = Receiver(codec)
    assert receiver.one(authentic(Type.BATCH, batch_entry(bytes(icmp), True))) is None
    assert receiver.frames() == [plain(icmp)]


@pytest.mark.parametrize("packet", [b"", b"\x45" * 19, b"\x60" * 39, b"\x55" * 60, bytes(60)])
def test_data_that_is_no_ip_packet(codec: Codec, packet: bytes) -> None:
    receiver = Receiver(codec)
    assert receiver.one(authentic(Type.DATA, packet)) is Drop.MALFORMED
    assert not receiver.frames()
    assert refused(codec, plain(packet))


@pytest.mark.parametrize(
    ("start", "offset", "good"),
    [
        (20, 6, True),
        (20, 0, True),
        (27, 6, True),
        (28, 6, False),
        (20, 13, True),
        (20, 14, False),
        (19, 6, False),
        (0xFFFF, 6, False),
        (20, 0xFFFF, False),
        (0, 0, False),
    ],
)
def test_the_checksum_field_has_to_lie_in_the_packet(
    codec: Codec, start: int, offset: int, good: bool
) -> None:
    packet = udp_packet(b"1234567")
    assert len(packet) == 35
    receiver = Receiver(codec)
    datagram = authentic(Type.DATA, packet, flags=1, specific=start << 16 | offset)
    assert (receiver.one(datagram) is None) == good
    assert len(receiver.frames()) == good


def test_a_source_that_is_not_the_sessions_own(codec: Codec) -> None:
    receiver = Receiver(codec)
    assert receiver.one(authentic(Type.DATA, SPOOFED)) is Drop.SOURCE
    whole = SuperPacket(TCP, noise(90), 30, source="10.10.100.2")
    slices = sealed(codec, [whole.frame()], sealer_after(codec, 1))
    assert receiver.train(slices) == [Drop.SOURCE] * 3
    assert not receiver.frames()
    assert receiver.packet_count == 0
