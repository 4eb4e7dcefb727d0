"""What AEADs ask of the codecs: nonces that are used once, and nothing inside to be seen."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nrs.tunnel import wire
from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.codec.python import CODEC
from nrs.tunnel.codec.python.aead import Aead
from nrs.tunnel.codec.sealing import COUNTER_BYTES, Sealer
from nrs.tunnel.drop import Drop
from nrs.tunnel.wire import Cipher, Type
from tests.tunnel.carrying import INDEX, KEY, Receiver, plain, sealed
from tests.tunnel.codecs import CODECS
from tests.tunnel.packets import TCP, SuperPacket, udp_packet

AEADS = [cipher for cipher in Cipher if cipher]
SECRET = b"nobody but the two ends reads this"
each_codec = pytest.mark.parametrize("codec", CODECS, ids=lambda codec: codec.name)
each_aead = pytest.mark.parametrize("cipher", AEADS, ids=lambda cipher: cipher.text)


def frames() -> dict[str, list[bytes]]:
    small = plain(udp_packet(SECRET))
    return {
        "DATA": [small],
        "BATCH": [small] * 3,
        "SEGMENT": [SuperPacket(TCP, SECRET * 90, 1000).frame()],
        "FRAGMENT": [plain(udp_packet(SECRET * 60))],
    }


@each_codec
@each_aead
@pytest.mark.parametrize("kind", frames())
def test_nothing_inside_is_to_be_seen_and_all_of_it_arrives(
    codec: Codec, cipher: Cipher, kind: str
) -> None:
    sealer = codec.sealer(KEY, INDEX, cipher=cipher)
    packets = frames()[kind]
    datagrams = sealed(codec, packets, sealer)
    assert {Type(d[0] & 15).name for d in datagrams} == {kind}
    address = bytes((10, 10, 100, 1))
    assert not any(SECRET[:8] in d or address in d[20:] for d in datagrams)
    assert max(map(len, datagrams)) <= wire.SAFE_DATAGRAM
    receiver = Receiver(codec, cipher=cipher)
    assert receiver.train(datagrams) == []
    whole = b"".join(receiver.packets())
    assert whole.count(SECRET) >= len(packets)


@each_codec
@each_aead
def test_a_whole_datagram_of_packets_fills_the_path(codec: Codec, cipher: Cipher) -> None:
    """16 bytes more than in one with the longer tag."""
    sealer = codec.sealer(KEY, INDEX, cipher=cipher)
    for said, length in ((1400, 1436), (0, 528), (60_000, 8972)):
        sealer.limit(said, settled=False)
        made = sealed(codec, [SuperPacket(TCP, bytes(30_000), 8840).frame()], sealer)
        assert max(map(len, made)) == min(length, 36 + 40 + 8840)


@each_codec
@each_aead
def test_one_bad_datagram_of_a_train_is_left_out(codec: Codec, cipher: Cipher) -> None:
    sealer = codec.sealer(KEY, INDEX, cipher=cipher)
    text = bytes(range(200)) * 40
    train = sealed(codec, [SuperPacket(TCP, text, 1000).frame()], sealer)
    assert len(train) == 8
    train[3] = train[3][:-1] + bytes((train[3][-1] ^ 0x80,))
    train[5] = train[5][:500] + bytes((train[5][500] ^ 1,)) + train[5][501:]
    receiver = Receiver(codec, cipher=cipher)
    assert receiver.train(train) == [Drop.TAG, Drop.TAG]
    payloads = [packet[40:] for packet in receiver.packets()]
    slices = [text[n : n + 1000] for n in range(0, 8000, 1000)]
    assert payloads == [one for n, one in enumerate(slices) if n not in {3, 5}]


class Killed(Exception):
    """A process ends here."""


class Dying:
    """Takes the numbers that something is sealed under, and ends the process after so many."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.used: list[int] = []
        self.fuse = 0
        seal = Aead.seal

        def dying(aead: Aead, header: bytes, body: bytes) -> bytes:
            if not self.fuse:
                raise Killed
            self.fuse -= 1
            self.used.append(int.from_bytes(header[8:16], "big"))
            return seal(aead, header, body)

        monkeypatch.setattr(Aead, "seal", dying)


@pytest.fixture
def dying(monkeypatch: pytest.MonkeyPatch) -> Iterator[Dying]:
    yield Dying(monkeypatch)


def seals(sealer: Sealer, kind: str) -> None:
    if kind == "control":
        for _ in range(3):
            sealer.control(Type.PROBE, bytes(40))
    else:
        sealed(CODEC, frames()[kind], sealer)


@pytest.mark.parametrize("kind", ["control", *frames()])
def test_no_number_is_used_again_after_a_kill_at_any_step(dying: Dying, kind: str) -> None:
    """The C codec's are tested in C: a process is killed between two texts (drive_crypto.c)."""
    for step in range(6):
        counter = memoryview(bytearray(COUNTER_BYTES))
        dying.used.clear()
        for fuse in (step, 100):  # the process after it goes on
            dying.fuse = fuse
            sealer = CODEC.sealer(KEY, INDEX, memory=counter, cipher=Cipher.AES_256_GCM)
            try:
                seals(sealer, kind)
            except Killed:
                assert fuse == step
        assert len(dying.used) == len(set(dying.used)) >= 1
        assert dying.used == sorted(dying.used)
