"""What each codec makes of super-packets and their slices."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nrs.tunnel import wire
from nrs.tunnel.codec.carrier import MOST_SEGMENTS, MOST_SEND_BYTES
from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.drop import Drop
from nrs.tunnel.wire import Cipher, Type
from tests.tunnel.carrying import (
    Receiver,
    authentic,
    batch_entry,
    limited,
    refused,
    sealed,
    sealer_after,
    sends,
)
from tests.tunnel.codecs import CODECS
from tests.tunnel.packets import (
    ACK,
    CWR,
    FIN,
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

V6 = {"source": "fd00:10:100::1", "destination": "2001:db8:100::10"}

pytestmark = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)


@st.composite
def super_packets(draw: st.DrawFn, most_slices: int = 12) -> SuperPacket:
    protocol = draw(st.sampled_from([TCP, UDP]))
    six = draw(st.booleans())
    gso_size = draw(st.integers(1, 40) | st.integers(1, 1280))
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
@settings(deadline=None)
def test_any_slices_in_any_order_and_any_trains(
    codec: Codec, whole: SuperPacket, data: st.DataObject, udp_offload: bool
) -> None:
    """Each slice that arrives becomes exactly the packet that a plain kernel would have sent."""
    sent, expected = sealed(codec, [whole.frame()]), whole.expected()
    assert len(sent) == whole.slices == len(expected)
    order = data.draw(st.permutations(range(len(sent))))
    order = order[: data.draw(st.integers(0, len(order)))]
    if data.draw(st.booleans()):
        order.sort()
    receiver = Receiver(codec, udp_offload=udp_offload)
    while order:
        length = data.draw(st.integers(1, len(order)))
        assert receiver.train(sent[n] for n in order[:length]) == []
        arrived = receiver.packets()
        assert arrived == [expected[n] for n in order[:length]]
        for packet in arrived:
            assert_valid(packet)
        order = order[length:]


@given(whole=super_packets())
@settings(max_examples=50, deadline=None)
def test_all_slices_in_order_are_one_frame_again(codec: Codec, whole: SuperPacket) -> None:
    receiver = Receiver(codec)
    receiver.train(sealed(codec, [whole.frame()]))
    (frame,) = receiver.frames()
    if whole.slices > 1:
        assert frame == whole.frame()
    assert receiver.packet_count == whole.slices
    assert sum(r.bytes for r in receiver.opened) == sum(map(len, whole.expected()))


@given(one=super_packets(5), two=super_packets(5), data=st.data())
@settings(max_examples=40, deadline=None)
def test_flows_that_mix_in_one_train_stay_apart(
    codec: Codec, one: SuperPacket, two: SuperPacket, data: st.DataObject
) -> None:
    sealer = limited(codec)
    pairs = [
        list(zip(sealed(codec, [whole.frame()], sealer), whole.expected(), strict=True))
        for whole in (one, two)
    ]
    mixed = []
    while pairs[0] or pairs[1]:
        pick = data.draw(st.sampled_from([n for n in (0, 1) if pairs[n]]))
        mixed.append(pairs[pick].pop(0))
    receiver = Receiver(codec)
    receiver.train(datagram for datagram, _ in mixed)
    assert receiver.packets() == [packet for _, packet in mixed]


@pytest.mark.parametrize("missing", range(5))
def test_nothing_is_merged_across_a_gap(codec: Codec, missing: int) -> None:
    whole = SuperPacket(TCP, noise(450), 100)
    sent = sealed(codec, [whole.frame()])
    receiver = Receiver(codec)
    receiver.train(sent[:missing] + sent[missing + 1 :])
    frames = receiver.frames()
    assert len(frames) == 1 + (0 < missing < 4)
    packets = [packet for frame in frames for packet in sent_by_kernel(frame)]
    assert packets == [p for n, p in enumerate(whole.expected()) if n != missing]


def test_flags_belong_to_the_first_and_the_last_slice(codec: Codec) -> None:
    whole = SuperPacket(TCP, noise(350), 100, flags=ACK | PSH | FIN | CWR | 0x40)
    sent = sealed(codec, [whole.frame()])
    for delivered in ([0, 1, 2, 3], [0, 1], [1, 2], [2, 3], [0], [1], [3]):
        receiver = Receiver(codec)
        receiver.train(sent[n] for n in delivered)
        packets = receiver.packets()
        flags = [packet[20 + 13] for packet in packets]
        assert [bool(f & CWR) for f in flags] == [n == 0 for n in delivered]
        assert [f & (FIN | PSH) for f in flags] == [9 if n == 3 else 0 for n in delivered]
        assert all(f & (ACK | 0x40) == ACK | 0x40 for f in flags)


def test_numbers_wrap_around(codec: Codec) -> None:
    whole = SuperPacket(TCP, noise(350), 100, sequence=2**32 - 150, identity=0xFFFE)
    receiver = Receiver(codec)
    for datagram in sealed(codec, [whole.frame()]):
        receiver.train([datagram])
    packets = receiver.packets()
    assert [int.from_bytes(p[24:28], "big") for p in packets] == [2**32 - 150, 2**32 - 50, 50, 150]
    assert [int.from_bytes(p[4:6], "big") for p in packets] == [0xFFFE, 0xFFFF, 0, 1]


def test_udp_without_offload_is_written_packet_by_packet(codec: Codec) -> None:
    whole = SuperPacket(UDP, noise(350), 100, **V6)
    receiver = Receiver(codec, udp_offload=False)
    receiver.train(sealed(codec, [whole.frame()]))
    assert receiver.packets() == whole.expected()
    receiver.train(sealed(codec, [whole.frame()], sealer_after(codec, 4)))
    assert len(receiver.frames()) == 4
    receiver = Receiver(codec, udp_offload=False)
    receiver.train(sealed(codec, [SuperPacket(TCP, noise(350), 100).frame()]))
    assert len(receiver.frames()) == 1


@given(
    gso_size=st.integers(1, 1348),
    length=st.integers(1, 60_000),
    options=st.sampled_from([b"", bytes(12)]),
)
@example(gso_size=1001, length=60_000, options=b"")  # 60 of 1,093 bytes are too much
@settings(max_examples=60, deadline=None)
def test_sends_fit_what_the_kernel_takes(
    codec: Codec, gso_size: int, length: int, options: bytes
) -> None:
    length = min(length, 256 * gso_size)
    whole = SuperPacket(TCP, bytes(length), gso_size, tcp_options=options)
    made = sends(codec, [whole.frame()], limited(codec))
    lengths = []
    for number, (send, datagrams) in enumerate(made):
        each = [len(datagram) for datagram in datagrams]
        assert len(each) <= MOST_SEGMENTS
        assert sum(each) <= MOST_SEND_BYTES
        assert set(each[:-1]) <= {send.each}
        assert each[-1] <= send.each
        if number < len(made) - 1:
            assert each[-1] == send.each
        lengths += each
    assert len(lengths) == whole.slices
    assert sum(lengths) == length + whole.slices * (52 + whole.head_bytes)


def test_header_of_a_slice(codec: Codec) -> None:
    whole = SuperPacket(TCP, noise(250), 100, tcp_options=bytes(12))
    sealer = sealer_after(codec, 41, 0x01020304, 5)
    sent = sealed(codec, [whole.frame()], sealer)
    for index, datagram in enumerate(sent):
        assert wire.SEGMENT_HEADER.unpack_from(datagram) == (
            0x21,
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


def test_256_slices_and_no_more(codec: Codec) -> None:
    whole = SuperPacket(TCP, noise(256), 1)
    sent = sealed(codec, [whole.frame()])
    assert [wire.SEGMENT_HEADER.unpack_from(d)[6] for d in sent] == list(range(256))
    receiver = Receiver(codec)
    receiver.train(sent)
    assert receiver.packets() == whole.expected()
    assert refused(codec, SuperPacket(TCP, noise(257), 1).frame())


def test_an_index_does_not_wrap_into_the_next_super_packet(codec: Codec) -> None:
    """Slice 255 of one super-packet and slice 0 of another with the same headers."""
    whole = SuperPacket(UDP, noise(255) + b"z", 1, **V6)
    sealer = limited(codec)
    sent = [*sealed(codec, [whole.frame()], sealer)[254:], *sealed(codec, [whole.frame()], sealer)]
    receiver = Receiver(codec)
    receiver.train(sent[:4])
    assert len(receiver.frames()) == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [(3, 0), (5, 4), (5, 0)],
)
def test_super_packets_of_another_kind(codec: Codec, field: int, value: int) -> None:
    """No segment size, or a checksum where neither TCP nor UDP has it."""
    frame = SuperPacket(TCP, noise(250), 100).frame()
    fields = list(VNET.unpack_from(frame))
    fields[field] = value
    assert not refused(codec, frame)
    assert refused(codec, VNET.pack(*fields) + frame[VNET.size :])


def test_headers_that_one_byte_cannot_measure(codec: Codec) -> None:
    whole = SuperPacket(TCP, noise(9), 5, **V6, ip_extra=b"\0\x18" + bytes(198))
    assert whole.head_bytes == 260
    assert refused(codec, whole.frame())


@pytest.mark.parametrize("body", [Cipher.NONE.least_body, Cipher.NONE.safe_body, 1360, 8900])
@pytest.mark.parametrize("gso_size", [400, 1360, 8840])
def test_tcp_is_cut_to_the_path_whatever_the_kernel_has_said(
    codec: Codec, gso_size: int, body: int
) -> None:
    """And comes out as segments of that size."""
    whole = SuperPacket(TCP, noise(30_000), gso_size, tcp_options=bytes(12))
    sent = sealed(codec, [whole.frame()], limited(codec, body, settled=True))
    cut = min(gso_size, body - whole.head_bytes)
    assert len(sent) == -(-30_000 // cut)
    assert max(map(len, sent)) <= body + wire.OVERHEAD
    receiver = Receiver(codec)
    assert receiver.train(sent) == []
    assert receiver.packets() == replace(whole, gso_size=cut).expected()


def slice_of(
    head: bytes,
    payload: bytes,
    *,
    index: int = 0,
    last: bool = False,
    gso_size: int = 10,
    sequence: int = 1,
) -> bytes:
    return authentic(
        Type.SEGMENT,
        head + payload,
        flags=3 if last else 1,
        specific=index << 24 | len(head) << 16 | gso_size,
        sequence=sequence,
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
def test_bad_slices(codec: Codec, head: bytes, payload: bytes, last: bool) -> None:
    receiver = Receiver(codec)
    assert receiver.one(slice_of(head, payload, last=last)) is Drop.MALFORMED
    assert not receiver.frames()


@pytest.mark.parametrize(
    ("payload", "last", "gso_size"),
    [(bytes(9), False, 10), (bytes(10), True, 9), (b"", True, 10)],
)
def test_a_bad_slice_leaves_the_run_before_it_whole(
    codec: Codec, payload: bytes, last: bool, gso_size: int
) -> None:
    receiver = Receiver(codec)
    good = slice_of(HEAD, bytes(10))
    bad = slice_of(HEAD, payload, index=1, last=last, gso_size=gso_size, sequence=2)
    assert len(bad) <= len(good)
    assert receiver.train([good, bad]) == [Drop.MALFORMED]
    (packet,) = receiver.packets()
    assert_valid(packet)
    assert len(packet) == 50


def test_a_header_length_beyond_the_body(codec: Codec) -> None:
    datagram = authentic(Type.SEGMENT, HEAD + bytes(10), flags=1, specific=255 << 16 | 10)
    assert Receiver(codec).one(datagram) is Drop.MALFORMED


@given(body=st.binary(max_size=120), flags=st.integers(0, 3), specific=st.integers(0, 2**32 - 1))
@settings(deadline=None)
def test_no_body_upsets_a_receiver(codec: Codec, body: bytes, flags: int, specific: int) -> None:
    receiver = Receiver(codec)
    sequence = 0
    for prefix in (b"", HEAD, UDP_HEAD):
        narrowed = specific & 0xFF00FFFF | len(prefix) << 16
        for kind, fields in (
            (Type.DATA, specific),
            (Type.BATCH, specific),
            (Type.SEGMENT, specific),
            (Type.SEGMENT, narrowed),
        ):
            sequence += 1
            receiver.one(
                authentic(kind, prefix + body, flags=flags, specific=fields, sequence=sequence)
            )
    for frame in receiver.frames():
        VNET.unpack_from(frame)


@pytest.mark.parametrize("batched", [False, True])
def test_packets_between_slices_keep_the_order(codec: Codec, batched: bool) -> None:
    """All in one train, as the kernel coalesces whatever has the same length."""
    whole = SuperPacket(TCP, noise(40), 10)
    sealer = limited(codec)
    slices = sealed(codec, [whole.frame()], sealer)
    single = udp_packet(noise(len(slices[0]) - wire.OVERHEAD - 28 - 2 * batched))
    body = batch_entry(single) if batched else single
    between = authentic(Type.BATCH if batched else Type.DATA, body, sequence=9)
    assert len(between) == len(slices[0])
    receiver = Receiver(codec)
    receiver.train([*slices[:2], between, *slices[2:]])
    assert len(receiver.opened) == 1
    expected = whole.expected()
    assert receiver.packets() == [*expected[:2], single, *expected[2:]]


def test_nothing_follows_the_last_slice(codec: Codec) -> None:
    """A slice behind the last one would take over its FIN and PSH."""
    receiver = Receiver(codec)
    receiver.train(
        [
            slice_of(HEAD, bytes(10), last=True),
            slice_of(HEAD, bytes(10), index=1, sequence=2),
        ]
    )
    assert len(receiver.opened) == 1
    assert [len(packet) for packet in receiver.packets()] == [50, 50]
    receiver.train(
        [
            slice_of(HEAD, bytes(10), last=True, sequence=3),
            slice_of(HEAD, bytes(10), index=1, sequence=4),
        ]
    )
    assert len(receiver.frames()) == 2
