"""Tags, sequence numbers and lanes, with each codec."""

from __future__ import annotations

import pytest

from nrs.tunnel import wire
from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.drop import Drop
from nrs.tunnel.wire import Probe, Type
from tests.tunnel.carrying import (
    INDEX,
    KEY,
    Receiver,
    partial,
    plain,
    sealed,
)
from tests.tunnel.codecs import CODECS
from tests.tunnel.packets import (
    TCP,
    SuperPacket,
    noise,
    udp_packet,
)

pytestmark = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)


def control(codec: Codec, **options: int) -> bytes:
    return codec.sealer(KEY, INDEX, **options).control(
        Type.PROBE, Probe(5, 1452).encode(), flags=1, specific=9
    )


def every_kind() -> list[bytes]:
    codec = CODECS[1]
    sealer = codec.sealer(KEY, INDEX)
    packet = partial(udp_packet(b"hello", partial=True), 20, 6)
    return [
        *sealed(codec, [packet], sealer),
        *sealed(codec, [packet, plain(udp_packet(b"x"))], sealer),
        *sealed(codec, [SuperPacket(TCP, noise(60), 30).frame()], sealer),
        *(sealer.control(kind, bytes(24)) for kind in (Type.PROBE, Type.PROBE_ACK)),
        *(sealer.control(kind) for kind in (Type.ROLE, Type.BYE)),
    ]


@pytest.mark.parametrize("datagram", every_kind(), ids=lambda d: Type(d[0] & 15).name)
def test_every_flipped_bit_and_every_truncation_is_dropped(codec: Codec, datagram: bytes) -> None:
    receiver = Receiver(codec)
    for bit in range(8 * len(datagram)):
        if bit // 8 in range(4, 8):
            continue  # another session's
        flipped = bytearray(datagram)
        flipped[bit // 8] ^= 1 << bit % 8
        if flipped[0] in {0x24, 0x25, 0x2F}:
            continue  # a handshake
        allowed = {Drop.TAG} if bit >= 8 else {Drop.TAG, Drop.MALFORMED}
        assert receiver.one(bytes(flipped)) in allowed, f"bit {bit}"
    for length in range(1, len(datagram)):
        short = length < wire.OVERHEAD
        assert receiver.one(datagram[:length]) is (Drop.MALFORMED if short else Drop.TAG)
    assert receiver.one(datagram + b"\0") is Drop.TAG
    assert receiver.opener.received(0) == 0
    assert receiver.one(datagram) is None
    assert receiver.one(datagram) is Drop.REPLAY


def test_a_control_datagram(codec: Codec) -> None:
    sealer = codec.sealer(KEY, 0x0A0B0C0D, 3)
    datagram = sealer.control(Type.PROBE, b"body", flags=1, specific=0xFFFFFFFF)
    assert wire.HEADER.unpack_from(datagram) == (0x26, 1, 3, 0, 0x0A0B0C0D, 1, 0xFFFFFFFF)
    assert datagram[20:-32] == b"body"
    assert len(sealer.control(Type.BYE)) == wire.OVERHEAD
    assert sealer.sequence == 2


def test_another_key_and_the_other_direction_fail(codec: Codec) -> None:
    assert Receiver(codec, key=bytes(32)).one(control(codec)) is Drop.TAG


def test_a_lane_that_the_session_does_not_have(codec: Codec) -> None:
    datagram = control(codec, lane=1)
    assert Receiver(codec).one(datagram) is Drop.MALFORMED
    receiver = Receiver(codec, lanes=2)
    assert receiver.one(datagram) is None
    assert receiver.one(datagram) is Drop.REPLAY
    assert receiver.one(control(codec)) is None  # a sequence space of its own


def test_a_bad_tag_leaves_no_trace_in_the_window(codec: Codec) -> None:
    receiver = Receiver(codec)
    good = control(codec)
    forged = bytearray(good)
    forged[-1] ^= 1
    assert receiver.one(bytes(forged)) is Drop.TAG
    assert receiver.one(good) is None
