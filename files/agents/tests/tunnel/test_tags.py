"""Tags, sequence numbers and lanes, with each codec."""

from __future__ import annotations

import pytest

from nrs.tunnel import wire
from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.drop import Drop
from nrs.tunnel.wire import Cipher, Probe, Type
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

pytestmark = [
    pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name),
    pytest.mark.parametrize("cipher", Cipher, ids=lambda cipher: cipher.text),
]
KINDS = ("DATA", "BATCH", "SEGMENT", "SEGMENT", "PROBE", "PROBE_ACK", "ROLE", "BYE")


def control(codec: Codec, cipher: Cipher, *, lane: int = 0) -> bytes:
    return codec.sealer(KEY, INDEX, lane=lane, cipher=cipher).control(
        Type.PROBE, Probe(5, 1452).encode(), flags=1, specific=9
    )


def every_kind(cipher: Cipher) -> list[bytes]:
    codec = CODECS[1]
    sealer = codec.sealer(KEY, INDEX, cipher=cipher)
    packet = partial(udp_packet(b"hello", partial=True), 20, 6)
    return [
        *sealed(codec, [packet], sealer),
        *sealed(codec, [packet, plain(udp_packet(b"x"))], sealer),
        *sealed(codec, [SuperPacket(TCP, noise(60), 30).frame()], sealer),
        *(sealer.control(kind, bytes(24)) for kind in (Type.PROBE, Type.PROBE_ACK)),
        *(sealer.control(kind) for kind in (Type.ROLE, Type.BYE)),
    ]


@pytest.mark.parametrize("kind", range(len(KINDS)), ids=KINDS)
def test_every_flipped_bit_and_every_truncation_is_dropped(
    codec: Codec, cipher: Cipher, kind: int
) -> None:
    datagram = every_kind(cipher)[kind]
    assert Type(datagram[0] & 15).name == KINDS[kind]
    receiver = Receiver(codec, cipher=cipher)
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
        short = length < cipher.overhead
        assert receiver.one(datagram[:length]) is (Drop.MALFORMED if short else Drop.TAG)
    assert receiver.one(datagram + b"\0") is Drop.TAG
    assert receiver.opener.received(0) == 0
    assert receiver.frames() == []
    assert receiver.one(datagram) is None
    assert receiver.one(datagram) is Drop.REPLAY


def test_a_control_datagram(codec: Codec, cipher: Cipher) -> None:
    sealer = codec.sealer(KEY, 0x0A0B0C0D, 3, cipher=cipher)
    datagram = sealer.control(Type.PROBE, b"body", flags=1, specific=0xFFFFFFFF)
    assert wire.HEADER.unpack_from(datagram) == (0x26, 1, 3, 0, 0x0A0B0C0D, 1, 0xFFFFFFFF)
    assert (datagram[20 : -cipher.tag_bytes] == b"body") == (cipher is Cipher.NONE)
    assert len(sealer.control(Type.BYE)) == (36 if cipher else 52)
    assert sealer.sequence == 2


def test_another_key_and_the_other_direction_fail(codec: Codec, cipher: Cipher) -> None:
    receiver = Receiver(codec, key=bytes(32), cipher=cipher)
    assert receiver.one(control(codec, cipher)) is Drop.TAG


def test_another_cipher_under_the_same_key_fails(codec: Codec, cipher: Cipher) -> None:
    for other in set(Cipher) - {cipher}:
        assert Receiver(codec, cipher=other).one(control(codec, cipher)) is Drop.TAG


def test_a_lane_that_the_session_does_not_have(codec: Codec, cipher: Cipher) -> None:
    datagram = control(codec, cipher, lane=1)
    assert Receiver(codec, cipher=cipher).one(datagram) is Drop.MALFORMED
    receiver = Receiver(codec, lanes=2, cipher=cipher)
    assert receiver.one(datagram) is None
    assert receiver.one(datagram) is Drop.REPLAY
    assert receiver.one(control(codec, cipher)) is None  # a sequence space of its own


def test_a_bad_tag_leaves_no_trace_in_the_window(codec: Codec, cipher: Cipher) -> None:
    receiver = Receiver(codec, cipher=cipher)
    good = control(codec, cipher)
    forged = bytearray(good)
    forged[-1] ^= 1
    assert receiver.one(bytes(forged)) is Drop.TAG
    assert receiver.one(good) is None
