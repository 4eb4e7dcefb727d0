from __future__ import annotations

import struct
from collections.abc import Iterable

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nrs.tunnel import wire
from nrs.tunnel.codec import (
    MOST_SEGMENTS,
    MOST_SEND_BYTES,
    Assembler,
    Opener,
    Part,
    Sealer,
    batch_entry,
)
from nrs.tunnel.figures import Drop, Figures
from nrs.tunnel.wire import Type
from tests.tunnel.fakes import datagrams
from tests.tunnel.packets import (
    ACK,
    CWR,
    FIN,
    NEEDS_CHECKSUM,
    PSH,
    TCP,
    UDP,
    VNET,
    SuperPacket,
    assert_valid,
    noise,
    sent_by_kernel,
    udp_packet,
)

KEY = bytes(range(32))
V6 = {"source": "fd00:10:100::1", "destination": "2001:db8:100::10"}


class Receiver:
    """Opens datagrams and collects what would be written to the TUN device."""

    def __init__(self, *, udp_offload: bool = True, key: bytes = KEY) -> None:
        self.frames: list[bytes] = []
        self.figures = Figures()
        self.refused: set[bytes] = set()
        self.opener = Opener(key)
        self.assembler = Assembler(
            lambda parts: self.frames.append(b"".join(parts)),
            lambda packet: bytes(packet[:20]) not in self.refused,
            self.figures,
            udp_offload=udp_offload,
        )

    def one(self, datagram: bytes) -> Drop | None:
        """A datagram of the train that is being received."""
        first, flags, _, lane, _, sequence, specific = wire.HEADER.unpack_from(datagram)
        reason = self.opener.verify(memoryview(datagram), lane, sequence)
        if reason is not None:
            return reason
        body = memoryview(datagram)[wire.HEADER_BYTES : -wire.TAG_BYTES]
        if first & 15 == Type.SEGMENT:
            return self.assembler.segment(body, flags, specific)
        if first & 15 == Type.BATCH:
            return self.assembler.batch(body)
        return self.assembler.data(body, flags, specific)

    def train(self, train: Iterable[bytes]) -> None:
        """A whole train of good datagrams."""
        for datagram in train:
            assert self.one(datagram) is None
        self.assembler.flush()

    def packets(self) -> list[bytes]:
        """What the inner receiver gets."""
        return [packet for frame in self.frames for packet in sent_by_kernel(frame)]


def sealed(whole: SuperPacket, sealer: Sealer | None = None) -> list[bytes]:
    sealer = sealer or Sealer(KEY, 7)
    return [
        datagram
        for sends in sealer.segments(memoryview(whole.frame()))
        for datagram in datagrams(sends)
    ]


@st.composite
def super_packets(draw: st.DrawFn, most_slices: int = 12) -> SuperPacket:
    protocol = draw(st.sampled_from([TCP, UDP]))
    six = draw(st.booleans())
    gso_size = draw(st.integers(1, 40) | st.integers(1, 1360))
    slices = draw(st.integers(1, most_slices))
    last = draw(st.integers(1, gso_size))
    return SuperPacket(
        protocol,
        noise((slices - 1) * gso_size + last, draw(st.integers(0, 99))),
        gso_size,
        **(V6 if six else {}),
        sport=draw(st.integers(0, 0xFFFF)),
        identity=draw(st.sampled_from([0, 0xFFFE]) | st.integers(0, 0xFFFF)),
        ip_extra=(
            draw(st.sampled_from([b"", bytes(8), b"\0\1" + bytes(14)]))
            if six
            else b"\x01" * draw(st.sampled_from([0, 4, 40]))
        ),
        sequence=draw(st.sampled_from([0, 2**32 - 50]) | st.integers(0, 2**32 - 1)),
        flags=draw(st.integers(0, 255)),
        tcp_options=noise(4 * draw(st.integers(0, 10)), 1) if protocol == TCP else b"",
    )


@given(whole=super_packets(), data=st.data(), udp_offload=st.booleans())
def test_any_slices_in_any_order_and_any_trains(
    whole: SuperPacket, data: st.DataObject, udp_offload: bool
) -> None:
    """Each slice that arrives becomes exactly the packet that a plain kernel would have sent."""
    sent, expected = sealed(whole), whole.expected()
    assert len(sent) == whole.slices == len(expected)
    order = data.draw(st.permutations(range(len(sent))))
    order = order[: data.draw(st.integers(0, len(order)))]
    if data.draw(st.booleans()):
        order.sort()
    receiver = Receiver(udp_offload=udp_offload)
    while order:
        length = data.draw(st.integers(1, len(order)))
        receiver.train(sent[n] for n in order[:length])
        arrived = receiver.packets()
        receiver.frames.clear()
        assert arrived == [expected[n] for n in order[:length]]
        for packet in arrived:
            assert_valid(packet)
        order = order[length:]


@given(whole=super_packets())
@settings(max_examples=50)
def test_all_slices_in_order_are_one_frame_again(whole: SuperPacket) -> None:
    receiver = Receiver()
    receiver.train(sealed(whole))
    assert len(receiver.frames) == 1
    if whole.slices > 1:
        assert receiver.frames[0] == whole.frame()
    assert receiver.figures.rx_packets == whole.slices
    assert receiver.figures.rx_bytes == sum(map(len, whole.expected()))


@given(one=super_packets(5), two=super_packets(5), data=st.data())
@settings(max_examples=40)
def test_flows_that_mix_in_one_train_stay_apart(
    one: SuperPacket, two: SuperPacket, data: st.DataObject
) -> None:
    sealer = Sealer(KEY, 7)
    pairs = [
        list(zip(sealed(whole, sealer), whole.expected(), strict=True)) for whole in (one, two)
    ]
    mixed = []
    while pairs[0] or pairs[1]:
        pick = data.draw(st.sampled_from([n for n in (0, 1) if pairs[n]]))
        mixed.append(pairs[pick].pop(0))
    receiver = Receiver()
    receiver.train(datagram for datagram, _ in mixed)
    assert receiver.packets() == [packet for _, packet in mixed]


@pytest.mark.parametrize("missing", range(5))
def test_nothing_is_merged_across_a_gap(missing: int) -> None:
    whole = SuperPacket(TCP, noise(450), 100)
    sent = sealed(whole)
    receiver = Receiver()
    receiver.train(sent[:missing] + sent[missing + 1 :])
    assert len(receiver.frames) == 1 + (0 < missing < 4)
    assert receiver.packets() == [p for n, p in enumerate(whole.expected()) if n != missing]


def test_flags_belong_to_the_first_and_the_last_slice() -> None:
    whole = SuperPacket(TCP, noise(350), 100, flags=ACK | PSH | FIN | CWR | 0x40)
    sent = sealed(whole)
    for delivered in ([0, 1, 2, 3], [0, 1], [1, 2], [2, 3], [0], [1], [3]):
        receiver = Receiver()
        receiver.train(sent[n] for n in delivered)
        packets = receiver.packets()
        flags = [packet[20 + 13] for packet in packets]
        assert [bool(f & CWR) for f in flags] == [n == 0 for n in delivered]
        assert [f & (FIN | PSH) for f in flags] == [9 if n == 3 else 0 for n in delivered]
        assert all(f & (ACK | 0x40) == ACK | 0x40 for f in flags)


def test_numbers_wrap_around() -> None:
    whole = SuperPacket(TCP, noise(350), 100, sequence=2**32 - 150, identity=0xFFFE)
    receiver = Receiver()
    for datagram in sealed(whole):
        receiver.train([datagram])
    packets = receiver.packets()
    assert [int.from_bytes(p[24:28], "big") for p in packets] == [2**32 - 150, 2**32 - 50, 50, 150]
    assert [int.from_bytes(p[4:6], "big") for p in packets] == [0xFFFE, 0xFFFF, 0, 1]


def test_udp_without_offload_is_written_packet_by_packet() -> None:
    whole = SuperPacket(UDP, noise(350), 100, **V6)
    receiver = Receiver(udp_offload=False)
    receiver.train(sealed(whole))
    assert len(receiver.frames) == 4
    assert receiver.packets() == whole.expected()
    whole = SuperPacket(TCP, noise(350), 100)
    receiver = Receiver(udp_offload=False)
    receiver.train(sealed(whole))
    assert len(receiver.frames) == 1


@given(
    gso_size=st.integers(1, 1448),
    length=st.integers(1, 65_000),
    options=st.sampled_from([b"", bytes(12)]),
)
@example(gso_size=1001, length=65_000, options=b"")  # 60 of 1,093 bytes are too much
@settings(max_examples=60)
def test_sends_fit_what_the_kernel_takes(gso_size: int, length: int, options: bytes) -> None:
    length = min(length, 256 * gso_size)
    whole = SuperPacket(TCP, bytes(length), gso_size, tcp_options=options)
    sealer = Sealer(KEY, 7)
    sends = list(sealer.segments(memoryview(whole.frame())))
    lengths = []
    for number, send in enumerate(sends):
        each = [len(datagram) for datagram in datagrams(send)]
        assert len(each) <= MOST_SEGMENTS
        assert sum(each) <= MOST_SEND_BYTES
        assert set(each[:-1]) <= {send.segment_bytes}
        assert each[-1] <= send.segment_bytes
        if number < len(sends) - 1:
            assert each[-1] == send.segment_bytes
        lengths += each
    assert len(lengths) == whole.slices == sealer.sequence
    assert sum(lengths) == length + whole.slices * (52 + whole.head_bytes)


def test_header_of_a_slice() -> None:
    whole = SuperPacket(TCP, noise(250), 100, tcp_options=bytes(12))
    sealer = Sealer(KEY, 0x01020304, key_id=5)
    sealer.sequence = 41
    sent = sealed(whole, sealer)
    for index, datagram in enumerate(sent):
        assert wire.SEGMENT_HEADER.unpack_from(datagram) == (
            0x11,
            3 if index == 2 else 1,
            5,
            0,
            0x01020304,
            42 + index,
            index,
            52,
            100,
        )
        assert datagram[20:72] == whole.packet()[:52]
        assert datagram[72:-32] == whole.payload[100 * index : 100 * index + 100]
    assert sealer.sequence == 44


def test_256_slices_and_no_more() -> None:
    whole = SuperPacket(TCP, noise(256), 1)
    sent = sealed(whole)
    assert [wire.SEGMENT_HEADER.unpack_from(d)[6] for d in sent] == list(range(256))
    receiver = Receiver()
    receiver.train(sent)
    assert receiver.packets() == whole.expected()
    with pytest.raises(ValueError, match="256 slices"):
        sealed(SuperPacket(TCP, noise(257), 1))


def test_an_index_does_not_wrap_into_the_next_super_packet() -> None:
    """Slice 255 of one super-packet and slice 0 of another with the same headers."""
    whole = SuperPacket(UDP, noise(255) + b"z", 1, **V6)
    sealer = Sealer(KEY, 7)
    sent = [*sealed(whole, sealer)[254:], *sealed(whole, sealer)[:2]]
    receiver = Receiver()
    receiver.train(sent)
    assert len(receiver.frames) == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [(3, 0), (5, 4), (5, 0)],
)
def test_super_packets_of_another_kind(field: int, value: int) -> None:
    """No segment size, or a checksum where neither TCP nor UDP has it."""
    frame = SuperPacket(TCP, noise(250), 100).frame()
    fields = list(VNET.unpack_from(frame))
    fields[field] = value
    with pytest.raises(ValueError, match="super-packet"):
        list(Sealer(KEY, 7).segments(memoryview(VNET.pack(*fields) + frame[VNET.size :])))


def test_headers_that_one_byte_cannot_measure() -> None:
    whole = SuperPacket(TCP, noise(9), 5, **V6, ip_extra=b"\0\x18" + bytes(198))
    assert whole.head_bytes == 260
    with pytest.raises(ValueError, match="impossible"):
        sealed(whole)


# -- tags, sequence numbers, lanes


def control(kind: Type = Type.PROBE) -> bytes:
    return Sealer(KEY, 7).control(kind, wire.encode_probe(5), flags=1, specific=9)


def every_kind() -> list[bytes]:
    sealer = Sealer(KEY, 7)
    packet = udp_packet(b"hello", partial=True)
    body = batch_entry(packet, True) + batch_entry(udp_packet(b"x"), False)
    return [
        *(d for s in (sealer.data(packet, 20, 6), sealer.batch(body, 2)) for d in datagrams(s)),
        *sealed(SuperPacket(TCP, noise(60), 30), sealer),
        *(sealer.control(kind, bytes(24)) for kind in (Type.PROBE, Type.PROBE_ACK)),
        *(sealer.control(kind) for kind in (Type.ROLE, Type.BYE)),
    ]


@pytest.mark.parametrize("datagram", every_kind(), ids=lambda d: Type(d[0] & 15).name)
def test_every_flipped_bit_and_every_truncation_fails_the_tag(datagram: bytes) -> None:
    def verdict(changed: bytes) -> Drop | None:
        lane, sequence = (0, 1)
        if len(changed) >= wire.HEADER_BYTES:
            _, _, _, lane, _, sequence, _ = wire.HEADER.unpack_from(changed)
        return opener.verify(memoryview(changed), lane, sequence)

    opener = Opener(KEY)
    for bit in range(8 * len(datagram)):
        flipped = bytearray(datagram)
        flipped[bit // 8] ^= 1 << bit % 8
        assert verdict(bytes(flipped)) is Drop.TAG
    for length in range(len(datagram)):
        assert verdict(datagram[:length]) is Drop.TAG
    assert verdict(datagram + b"\0") is Drop.TAG
    assert opener.windows[0].received == 0
    assert verdict(datagram) is None
    assert verdict(datagram) is Drop.REPLAY


def test_a_control_datagram() -> None:
    sealer = Sealer(KEY, 0x0A0B0C0D, key_id=3)
    datagram = sealer.control(Type.PROBE, b"body", flags=1, specific=0xFFFFFFFF)
    assert wire.HEADER.unpack_from(datagram) == (0x16, 1, 3, 0, 0x0A0B0C0D, 1, 0xFFFFFFFF)
    assert datagram[20:-32] == b"body"
    assert len(sealer.control(Type.BYE)) == wire.OVERHEAD
    assert sealer.sequence == 2


def test_another_key_and_the_other_direction_fail() -> None:
    assert Opener(bytes(32)).verify(memoryview(control()), 0, 1) is Drop.TAG


def test_a_lane_that_the_session_does_not_have() -> None:
    datagram = Sealer(KEY, 7, lane=1).control(Type.BYE)
    assert Opener(KEY).verify(memoryview(datagram), 1, 1) is Drop.MALFORMED
    opener = Opener(KEY, lanes=2)
    assert opener.verify(memoryview(datagram), 1, 1) is None
    assert opener.verify(memoryview(datagram), 1, 1) is Drop.REPLAY
    first = Sealer(KEY, 7).control(Type.BYE)
    assert opener.verify(memoryview(first), 0, 1) is None  # a sequence space of its own


def test_a_bad_tag_leaves_no_trace_in_the_window() -> None:
    opener = Opener(KEY)
    good = Sealer(KEY, 7).control(Type.BYE)
    forged = bytearray(good)
    forged[-1] ^= 1
    assert opener.verify(memoryview(forged), 0, 1) is Drop.TAG
    assert opener.verify(memoryview(good), 0, 1) is None


# -- DATA and BATCH


@given(length=st.integers(0, 1372), six=st.booleans(), partial=st.booleans())
def test_one_packet(length: int, six: bool, partial: bool) -> None:
    address = V6 if six else {}
    packet = udp_packet(noise(length), partial=partial, **address)
    sealer = Sealer(KEY, 7)
    start = (40 if six else 20) if partial else 0
    sends = sealer.data(packet, start, 6)
    receiver = Receiver()
    receiver.train(datagrams(sends))
    assert receiver.packets() == [udp_packet(noise(length), **address)]
    assert receiver.frames[0][VNET.size :] == packet
    assert (receiver.frames[0][0] == NEEDS_CHECKSUM) == partial
    specific = wire.HEADER.unpack_from(datagrams(sends)[0])[6]
    assert specific == (start << 16 | 6 if partial else 0)


@given(
    packets=st.lists(
        st.tuples(st.integers(0, 200), st.booleans(), st.booleans()), min_size=1, max_size=20
    )
)
def test_a_batch(packets: list[tuple[int, bool, bool]]) -> None:
    body, expected = b"", []
    for length, six, partial in packets:
        address = V6 if six else {}
        body += batch_entry(udp_packet(noise(length), partial=partial, **address), partial)
        expected.append(udp_packet(noise(length), **address))
    receiver = Receiver()
    receiver.train(datagrams(Sealer(KEY, 7).batch(body, len(packets))))
    assert receiver.packets() == expected
    assert receiver.figures.rx_packets == len(expected)


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        (b"\0", Drop.MALFORMED),
        (b"\0\0", Drop.MALFORMED),
        (b"\0\0" + batch_entry(udp_packet(b"late"), False), Drop.MALFORMED),
        (b"\x80\0", Drop.MALFORMED),
        (b"\0\x1c", Drop.MALFORMED),
        (b"\0\x1c" + udp_packet(b"")[:-1], Drop.MALFORMED),
        (b"\x7f\xff" + bytes(40), Drop.MALFORMED),
        (b"\0\x1d" + b"\x55" + udp_packet(b""), Drop.MALFORMED),
        (batch_entry(udp_packet(b"spoofed"), False), Drop.SOURCE),
        (batch_entry(udp_packet(b"spoofed"), True), Drop.SOURCE),
    ],
)
def test_what_precedes_a_bad_entry_is_delivered(tail: bytes, reason: Drop) -> None:
    receiver = Receiver()
    receiver.refused.add(udp_packet(b"spoofed")[:20])
    good = udp_packet(b"good")
    body = batch_entry(good, False) + tail
    assert receiver.one(datagrams(Sealer(KEY, 7).batch(body, 2))[0]) is reason
    assert receiver.packets() == [good]


def test_a_refused_entry_does_not_stop_the_rest() -> None:
    receiver = Receiver()
    receiver.refused.add(udp_packet(b"spoofed")[:20])
    good = udp_packet(b"good")
    body = batch_entry(udp_packet(b"spoofed"), False) + batch_entry(good, False)
    assert receiver.one(datagrams(Sealer(KEY, 7).batch(body, 2))[0]) is Drop.SOURCE
    assert receiver.packets() == [good]


def test_a_partial_checksum_of_a_protocol_that_has_none_is_ignored() -> None:
    icmp = bytearray(udp_packet(b"ping"))
    icmp[9] = 1
    receiver = Receiver()
    receiver.train(datagrams(Sealer(KEY, 7).batch(batch_entry(bytes(icmp), True), 1)))
    assert receiver.frames == [bytes(VNET.size) + icmp]


@pytest.mark.parametrize("packet", [b"", b"\x45" * 19, b"\x60" * 39, b"\x55" * 60, bytes(60)])
def test_data_that_is_no_ip_packet(packet: bytes) -> None:
    receiver = Receiver()
    assert receiver.one(datagrams(Sealer(KEY, 7).data(packet))[0]) is Drop.MALFORMED
    assert not receiver.frames


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
def test_the_checksum_field_has_to_lie_in_the_packet(start: int, offset: int, good: bool) -> None:
    packet = udp_packet(b"1234567")
    assert len(packet) == 35
    receiver = Receiver()
    assert (receiver.assembler.data(memoryview(packet), 1, start << 16 | offset) is None) == good
    assert len(receiver.frames) == good


def test_a_source_that_is_not_the_sessions_own() -> None:
    receiver = Receiver()
    packet = udp_packet(b"x")
    receiver.refused.add(packet[:20])
    assert receiver.one(datagrams(Sealer(KEY, 7).data(packet))[0]) is Drop.SOURCE
    whole = SuperPacket(TCP, noise(90), 30)
    receiver.refused.add(whole.packet()[:20])
    sealer = Sealer(KEY, 7)
    sealer.sequence = 1
    assert [receiver.one(d) for d in sealed(whole, sealer)] == [Drop.SOURCE] * 3
    receiver.assembler.flush()
    assert not receiver.frames
    assert receiver.figures.rx_packets == 0


# -- SEGMENT bodies that are wrong


def slice_of(
    head: bytes, payload: bytes, *, index: int = 0, last: bool = False, gso_size: int = 10
) -> tuple[memoryview, int, int]:
    return (
        memoryview(head + payload),
        3 if last else 1,
        index << 24 | len(head) << 16 | gso_size,
    )


HEAD = SuperPacket(TCP, noise(30), 10).packet()[:40]
UDP_HEAD = SuperPacket(UDP, noise(30), 10).packet()[:28]


@pytest.mark.parametrize(
    ("head", "payload", "last"),
    [
        (HEAD, b"", False),
        (HEAD, b"", True),
        (HEAD, bytes(9), False),
        (HEAD, bytes(11), False),
        (HEAD, bytes(11), True),
        (HEAD[:-1], bytes(10), False),
        (HEAD + bytes(4), bytes(10), False),
        (UDP_HEAD + b"\0", bytes(10), False),
        (UDP_HEAD[:-1], bytes(10), False),
        (b"", bytes(10), False),
        (HEAD[:20], bytes(10), False),
        (b"\x44" + HEAD[1:], bytes(10), False),
        (b"\x55" + HEAD[1:], bytes(10), False),
        (HEAD[:9] + b"\x01" + HEAD[10:], bytes(10), False),
        (HEAD[:6] + b"\x00\x01" + HEAD[8:], bytes(10), False),
        (HEAD[:32] + b"\x40" + HEAD[33:], bytes(10), False),
        (HEAD[:32] + b"\x60" + HEAD[33:], bytes(10), False),
    ],
)
def test_bad_slices(head: bytes, payload: bytes, last: bool) -> None:
    receiver = Receiver()
    assert receiver.assembler.segment(*slice_of(head, payload, last=last)) is Drop.MALFORMED
    receiver.assembler.flush()
    assert not receiver.frames


@pytest.mark.parametrize(
    ("payload", "last", "gso_size"),
    [(bytes(9), False, 10), (bytes(11), True, 10), (b"", True, 10), (bytes(11), False, 11)],
)
def test_a_bad_slice_leaves_the_run_before_it_whole(
    payload: bytes, last: bool, gso_size: int
) -> None:
    receiver = Receiver()
    assert receiver.assembler.segment(*slice_of(HEAD, bytes(10))) is None
    bad = slice_of(HEAD, payload, index=1, last=last, gso_size=gso_size)
    assert receiver.assembler.segment(*bad) is Drop.MALFORMED
    receiver.assembler.flush()
    (packet,) = receiver.packets()
    assert_valid(packet)
    assert len(packet) == 50


def test_a_header_length_beyond_the_body() -> None:
    receiver = Receiver()
    body = memoryview(HEAD + bytes(10))
    assert receiver.assembler.segment(body, 1, 255 << 16 | 10) is Drop.MALFORMED


@given(body=st.binary(max_size=120), flags=st.integers(0, 3), specific=st.integers(0, 2**32 - 1))
def test_no_body_upsets_the_assembler(body: bytes, flags: int, specific: int) -> None:
    receiver = Receiver()
    for prefix in (b"", HEAD, UDP_HEAD):
        whole = memoryview(prefix + body)
        receiver.assembler.data(whole, flags, specific)
        receiver.assembler.batch(whole)
        receiver.assembler.segment(whole, flags, specific)
        narrowed = specific & 0xFF00FFFF | len(prefix) << 16
        receiver.assembler.segment(whole, flags, narrowed)
        receiver.assembler.flush()
    for frame in receiver.frames:
        VNET.unpack_from(frame)


@pytest.mark.parametrize("batched", [False, True])
def test_packets_between_slices_keep_the_order(batched: bool) -> None:
    whole = SuperPacket(TCP, noise(40), 10)
    sealer = Sealer(KEY, 7)
    slices = sealed(whole, sealer)
    single = udp_packet(b"between")
    receiver = Receiver()
    between = sealer.batch(batch_entry(single, False), 1) if batched else sealer.data(single)
    receiver.train([*slices[:2], *datagrams(between), *slices[2:]])
    expected = whole.expected()
    assert receiver.packets() == [*expected[:2], single, *expected[2:]]


def test_batch_entries_carry_their_length_and_a_flag() -> None:
    assert batch_entry(b"abc", False) == b"\x00\x03abc"
    assert batch_entry(memoryview(b"abc"), True) == struct.pack("!H", 0x8003) + b"abc"


def test_parts_are_what_an_assembler_writes() -> None:
    """The frame's payload parts are views of what was received, not copies."""
    written: list[list[Part]] = []
    assembler = Assembler(written.append, lambda _: True, Figures(), udp_offload=True)
    body, flags, specific = slice_of(HEAD, bytes(10))
    assembler.segment(body, flags, specific)
    assembler.flush()
    assert isinstance(written[0][2], memoryview)


def test_nothing_follows_the_last_slice() -> None:
    """A short slice within a run would shift every boundary behind it."""
    receiver = Receiver()
    assert receiver.assembler.segment(*slice_of(HEAD, bytes(4), last=True)) is None
    assert receiver.assembler.segment(*slice_of(HEAD, bytes(10), index=1)) is None
    receiver.assembler.flush()
    assert [len(packet) for packet in receiver.packets()] == [44, 50]
