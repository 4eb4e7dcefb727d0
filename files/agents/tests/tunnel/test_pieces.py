"""What each codec makes of packets that are too long for the path: split, joined, or refused."""

from __future__ import annotations

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nrs.tunnel import wire
from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.drop import Drop
from nrs.tunnel.wire import Cipher, Type
from tests.tunnel.carrying import Receiver, authentic, limited, partial, plain, sealed
from tests.tunnel.codecs import CODECS, sealing
from tests.tunnel.packets import (
    ACK,
    TCP,
    UDP,
    VNET,
    SuperPacket,
    assert_valid,
    noise,
    udp_packet,
)

V6 = {"source": "fd00:10:100::1", "destination": "2001:db8:100::10"}
FRAGMENT, DATA = wire.first_byte(Type.FRAGMENT), wire.first_byte(Type.DATA)
LONG = udp_packet(noise(2000))
"""Over IPv4 with DF, like all of `packets`."""
SYN = 0x02

pytestmark = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)


def without_df(packet: bytes) -> bytes:
    """IPv4; the header checksum is not looked at here."""
    return packet[:6] + b"\0\0" + packet[8:]


def over(protocol: int) -> bytes:
    """A packet over IPv6 whose header says that this follows."""
    packet = udp_packet(noise(2000), **V6)
    return packet[:6] + bytes((protocol,)) + packet[7:]


def pieces_of(codec: Codec, packet: bytes = LONG, body: int = 900) -> list[bytes]:
    sent = sealed(codec, [plain(packet)], limited(codec, body))
    assert {datagram[0] for datagram in sent} == {FRAGMENT}
    return sent


def piece(
    body: bytes, index: int, count: int, total: int, sequence: int, flags: int = 0, lane: int = 0
) -> bytes:
    """An authentic piece that says so."""
    specific = index << 24 | count << 16 | total
    return authentic(
        Type.FRAGMENT, body, flags=flags, specific=specific, sequence=sequence, lane=lane
    )


@given(
    length=st.integers(700, 8840),
    six=st.booleans(),
    unfinished=st.booleans(),
    body=st.integers(Cipher.NONE.least_body, 1400),
    data=st.data(),
)
@settings(deadline=None)
def test_a_packet_comes_out_as_it_was_in_whatever_order_its_pieces_come(
    codec: Codec, length: int, six: bool, unfinished: bool, body: int, data: st.DataObject
) -> None:
    packet = udp_packet(noise(length), partial=unfinished, **(V6 if six else {}))
    frame = partial(packet, 40 if six else 20, 6) if unfinished else plain(packet)
    sent = sealed(codec, [frame], limited(codec, body))
    content = 4 + len(packet)
    assert len(sent) == (1 if len(packet) <= body else -(-content // body))
    assert max(map(len, sent)) <= body + wire.OVERHEAD
    receiver = Receiver(codec)
    for datagram in data.draw(st.permutations(sent)):
        assert receiver.one(datagram) is None
    assert receiver.frames() == [frame]
    assert receiver.packet_count == 1


def test_the_header_of_pieces(codec: Codec) -> None:
    frame = partial(udp_packet(noise(1500), partial=True), 20, 6)
    sent = sealed(codec, [frame], limited(codec, 700))
    for index, datagram in enumerate(sent):
        first, flags, _, _, _, sequence, specific = wire.HEADER.unpack_from(datagram)
        assert (first, flags, sequence) == (FRAGMENT, 1, 1 + index)
        assert specific == index << 24 | 3 << 16 | 4 + 1528
    content = b"".join(datagram[20:-32] for datagram in sent)
    assert content == struct.pack("!HH", 20, 6) + frame[VNET.size :]


@pytest.mark.parametrize("address", [{}, V6])
@pytest.mark.parametrize("udp_offload", [True, False])
def test_where_udp_is_cut_stays(codec: Codec, address: dict[str, str], udp_offload: bool) -> None:
    whole = SuperPacket(UDP, noise(1300 * 5 + 100), 1300, **address)
    sent = sealed(codec, [whole.frame()], limited(codec, 1180, settled=True))
    assert [datagram[0] for datagram in sent] == [FRAGMENT] * 10 + [DATA]
    receiver = Receiver(codec, udp_offload=udp_offload)
    assert receiver.train(sent) == []
    assert receiver.packets() == whole.expected()


def test_packets_around_the_pieces_stay_in_order(codec: Codec) -> None:
    small = [udp_packet(noise(20, seed)) for seed in range(4)]
    frames = [plain(p) for p in (small[0], small[1], LONG, small[2], LONG, small[3])]
    receiver = Receiver(codec)
    assert receiver.train(sealed(codec, frames, limited(codec, 900))) == []
    assert receiver.frames() == frames


def test_one_piece_that_is_lost_costs_its_packet_and_no_other(codec: Codec) -> None:
    sent = sealed(codec, [plain(LONG)] * 3, limited(codec, 900))
    receiver = Receiver(codec)
    assert receiver.train(sent[:4] + sent[5:]) == []
    assert receiver.frames() == [plain(LONG)] * 2


def test_a_piece_counts_once(codec: Codec) -> None:
    first, second, third = pieces_of(codec)
    receiver = Receiver(codec)
    assert receiver.one(first) is None
    assert receiver.one(first) is Drop.REPLAY
    assert receiver.one(second) is None
    assert receiver.frames() == []
    assert receiver.one(third) is None
    assert receiver.frames() == [plain(LONG)]
    assert [receiver.one(d) for d in (first, second, third)] == [Drop.REPLAY] * 3


def test_what_has_arrived_in_part_is_forgotten_after_two_seconds(codec: Codec) -> None:
    first, second, third = pieces_of(codec)
    receiver = Receiver(codec)
    receiver.train([first, second])
    receiver.wait()
    assert receiver.one(third) is None
    assert receiver.frames() == [plain(LONG)]
    receiver = Receiver(codec)
    receiver.train([first, second])
    receiver.wait()
    receiver.wait()
    assert receiver.one(third) is None
    assert receiver.frames() == []


def test_a_session_has_eight_packets_in_part_and_the_oldest_goes(codec: Codec) -> None:
    sent = sealed(codec, [plain(LONG)] * 9, limited(codec, 900))
    receiver = Receiver(codec)
    receiver.train(sent[0::3])
    receiver.train(sent[1::3])
    assert receiver.frames() == []
    # The first packet's second piece began it anew, which pushed the second packet out, and so on.
    receiver.train(sent[2::3])
    assert receiver.frames() == []
    receiver = Receiver(codec)
    receiver.train(sent[0 : 3 * 8 : 3])
    receiver.train(sent[1 : 3 * 8 : 3])
    receiver.train(sent[2 : 3 * 8 : 3])
    assert receiver.frames() == [plain(LONG)] * 8


@pytest.mark.parametrize(
    ("length", "index", "count", "total", "sequence"),
    [
        (100, 0, 1, 100, 5),  # one piece is none
        (100, 0, 0, 100, 5),
        (100, 0, 33, 3300, 50),  # too many
        (100, 2, 2, 200, 5),  # no such piece
        (100, 1, 2, 200, 1),  # the first would have the number 0
        (0, 0, 2, 200, 5),
        (201, 0, 2, 200, 5),  # longer than all
        (10, 0, 2, 20, 5),  # too short for a packet
        (4500, 0, 2, 8905, 5),  # too long for one
        (200, 0, 2, 200, 5),  # nothing is left for the last
        (100, 0, 2, 201, 5),  # too much is
        (101, 1, 2, 200, 5),  # the last is longer than the others
        (101, 2, 3, 300, 5),  # the others are of no whole length
    ],
)
def test_pieces_of_no_packet(
    codec: Codec, length: int, index: int, count: int, total: int, sequence: int
) -> None:
    receiver = Receiver(codec)
    assert receiver.one(piece(bytes(length), index, count, total, sequence)) is Drop.MALFORMED
    assert receiver.frames() == []


def test_pieces_that_do_not_fit_each_other(codec: Codec) -> None:
    content = bytes(4) + LONG[:28] + noise(168)
    receiver = Receiver(codec, lanes=2)
    assert receiver.one(piece(content[:100], 0, 2, 200, 5)) is None
    for number, other in enumerate(
        [
            piece(content[100:199], 1, 2, 199, 6),
            piece(content[:100], 1, 3, 300, 6),
            piece(content[100:], 1, 2, 200, 6, flags=1),
        ]
    ):
        again = Receiver(codec)
        assert again.one(piece(content[:100], 0, 2, 200, 5)) is None
        assert again.one(other) is Drop.MALFORMED, number
        assert again.frames() == []
    # Of another lane: another packet.
    assert receiver.one(piece(content[100:], 1, 2, 200, 6, lane=1)) is None
    assert receiver.frames() == []
    assert receiver.one(piece(content[100:], 1, 2, 200, 6)) is None
    assert len(receiver.frames()) == 1


def test_a_joined_packet_is_looked_at_like_any_other(codec: Codec) -> None:
    receiver = Receiver(codec)
    foreign = udp_packet(noise(2000), source="10.10.100.2")
    assert receiver.train(pieces_of(codec, foreign)) == [Drop.SOURCE]
    receiver = Receiver(codec)
    bad = bytes(4) + bytes(196)
    assert receiver.one(piece(bad[:100], 0, 2, 200, 1)) is None
    assert receiver.one(piece(bad[100:], 1, 2, 200, 2)) is Drop.MALFORMED
    # A checksum among the addresses.
    bad = struct.pack("!HH", 12, 4) + LONG[:196]
    assert receiver.one(piece(bad[:100], 0, 2, 200, 3, flags=1)) is None
    assert receiver.one(piece(bad[100:], 1, 2, 200, 4, flags=1)) is Drop.MALFORMED
    assert receiver.frames() == []


@pytest.mark.parametrize(
    ("packet", "refused"),
    [
        (LONG, True),
        (without_df(LONG), False),
        (udp_packet(noise(2000), **V6), True),
        (udp_packet(noise(1232), **V6), False),  # 1280 bytes: every link carries it
        (udp_packet(noise(1233), **V6), True),
        (LONG[:9] + b"\x01" + LONG[10:], False),  # ICMP
        (over(58), False),  # ICMPv6
        (over(44), False),  # a fragment
        (over(17), True),
    ],
)
def test_who_may_be_told_is_refused_once_the_size_is_settled(
    codec: Codec, packet: bytes, refused: bool
) -> None:
    frames, datagrams = codec.frames(), sealing(codec)
    frames.load([plain(udp_packet(b"small")), plain(packet), plain(udp_packet(b"small"))])
    for settled in (True, False):
        datagrams.clear()
        result = datagrams.seal(limited(codec, 1000, settled=settled), frames, 0, 3)
        assert result.too_long == (0b010 if refused and settled else 0)
        assert result.packets == (2 if refused and settled else 3)
        assert result.malformed == 0
    assert frames.packet(1) == packet


def test_a_packet_that_no_device_makes(codec: Codec) -> None:
    frames, datagrams = codec.frames(), sealing(codec)
    frames.load(
        [plain(without_df(udp_packet(noise(8900 - 28)))), plain(without_df(LONG + bytes(6873)))]
    )
    result = datagrams.seal(limited(codec, 1000), frames, 0, 2)
    assert (result.packets, result.malformed) == (1, 1)


def syn(options: bytes, *, partial_checksum: bool, **address: str) -> bytes:
    whole = SuperPacket(TCP, b"", 1, flags=SYN, tcp_options=options, **address)
    return whole._build(0, b"", SYN, partial=partial_checksum)


MSS = struct.pack("!BBH", 2, 4, 8860)


@pytest.mark.parametrize("address", [{}, V6])
@pytest.mark.parametrize("unfinished", [True, False])
@pytest.mark.parametrize("fellow", [True, False])
@pytest.mark.parametrize("before", [b"", b"\x01", b"\x01\x01", b"\x03\x03\x07", b"\x01" * 5])
def test_a_syn_asks_for_no_more_than_the_path_takes(
    codec: Codec, address: dict[str, str], unfinished: bool, fellow: bool, before: bytes
) -> None:
    options = (before + MSS).ljust(12, b"\0")
    packet = syn(options, partial_checksum=unfinished, **address)
    start = 40 if address else 20
    frame = partial(packet, start, 16) if unfinished else plain(packet)
    frames = [frame, frame] if fellow else [frame]  # a BATCH
    receiver = Receiver(codec)
    assert receiver.train(sealed(codec, frames, limited(codec, 1180))) == []
    for written in receiver.packets():
        assert_valid(written)
        (size,) = struct.unpack_from("!H", written, start + 20 + len(before) + 2)
        assert size == 1180 - start - 20
        assert len(written) == len(packet)


@pytest.mark.parametrize(
    "options",
    [
        struct.pack("!BBH", 2, 4, 536),  # less already
        b"\0" + MSS + bytes(3),  # behind the end
        b"\x02\x03\x22\x9c",  # another length
        b"\x01\x02\x04\x22",  # cut off
        b"\x05\x00\x02\x04\x22\x9c\0\0",  # no length
        b"",
    ],
)
def test_other_syns_stay_as_they_are(codec: Codec, options: bytes) -> None:
    packet = syn(options, partial_checksum=False)
    receiver = Receiver(codec)
    receiver.train(sealed(codec, [plain(packet)], limited(codec, 1180)))
    assert receiver.frames() == [plain(packet)]


def test_only_syns_are_changed(codec: Codec) -> None:
    whole = SuperPacket(TCP, b"", 1, flags=ACK, tcp_options=MSS)
    packet = whole._build(0, b"", ACK, partial=False)
    receiver = Receiver(codec)
    receiver.train(sealed(codec, [plain(packet)], limited(codec, 1180)))
    assert receiver.frames() == [plain(packet)]


def test_a_limit_stays_within_reason(codec: Codec) -> None:
    """Whatever a peer says."""
    for said, longest in (
        (0, Cipher.NONE.least_body),
        (60_000, Cipher.NONE.longest_body),
    ):
        sent = sealed(codec, [plain(without_df(udp_packet(noise(8800))))] * 2, limited(codec, said))
        assert max(map(len, sent)) <= longest + wire.OVERHEAD
