"""Trains of more datagrams than are tagged at a time, by every provider that is here."""

from __future__ import annotations

import random

import pytest

from nrs.tunnel.codec import c
from nrs.tunnel.codec.c.crypto import CCrypto
from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.drop import Drop
from nrs.tunnel.wire import Type
from tests.tunnel.carrying import INDEX, KEY, Receiver, authentic, limited, plain, sealed
from tests.tunnel.codecs import CODECS, providers_here
from tests.tunnel.packets import TCP, SuperPacket, noise, udp_packet

PYTHON = CODECS[1]
COUNT = 150


def every_codec() -> dict[str, Codec]:
    """Python's, and the one in C by each provider of this build and by the fastest."""
    by_name = {name: c.family(provider) for name, provider in providers_here().items()}
    return {"python": PYTHON, "c": c.family(CCrypto()), **by_name}


BY_NAME = every_codec()
pytestmark = pytest.mark.parametrize("codec", BY_NAME.values(), ids=BY_NAME)


@pytest.mark.parametrize("size", [40, 200, 1300])
def test_each_provider_seals_the_same(codec: Codec, size: int) -> None:
    frames = [SuperPacket(TCP, noise(45 * size + 3, seed), size).frame() for seed in range(4)]
    frames.insert(2, plain(udp_packet(noise(size))))
    expected = sealed(PYTHON, frames, limited(PYTHON))
    assert len(expected) > COUNT
    assert sealed(codec, frames, limited(codec)) == expected
    receiver = Receiver(codec)
    assert receiver.train(expected) == []
    assert receiver.opener.received(0) == len(expected)


@pytest.mark.parametrize("wrong", [(0,), (63,), (64,), (65,), (149,), tuple(range(0, 150, 3))])
def test_of_a_long_train_the_wrong_datagrams_are_dropped_and_no_other(
    codec: Codec, wrong: tuple[int, ...]
) -> None:
    packets = [udp_packet(number.to_bytes(2, "big") * 100) for number in range(COUNT)]
    train = [authentic(0, packet, sequence=n + 1) for n, packet in enumerate(packets)]
    for number in wrong:
        train[number] = train[number][:-1] + bytes([train[number][-1] ^ 1])
    receiver = Receiver(codec, udp_offload=False)
    assert receiver.train(train) == [Drop.TAG] * len(wrong)
    assert receiver.packets() == [p for n, p in enumerate(packets) if n not in wrong]
    # Those that had a wrong tag are not taken for old ones.
    assert receiver.opener.received(0) == COUNT - len(wrong)
    again = [authentic(0, packets[number], sequence=number + 1) for number in wrong]
    assert receiver.train(again) == []


def test_control_datagrams_anywhere_in_a_long_train(codec: Codec) -> None:
    chance = random.Random(1)  # noqa: S311
    for _ in range(10):
        sealer = codec.sealer(KEY, INDEX)
        kinds = [chance.choice((Type.DATA, Type.DATA, Type.DATA, Type.PROBE)) for _ in range(COUNT)]
        body = udp_packet(bytes(100))
        train = [sealer.control(kind, body) for kind in kinds]
        receiver = Receiver(codec, udp_offload=False)
        assert receiver.train(train) == []
        assert receiver.opener.received(0) == COUNT
        assert receiver.packets() == [body] * kinds.count(Type.DATA)
        assert receiver.train(train) == [Drop.REPLAY] * COUNT
