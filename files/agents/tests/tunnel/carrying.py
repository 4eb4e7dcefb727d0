"""Sealing and opening, one call's worth at a time."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Iterable

from nrs.tunnel import wire
from nrs.tunnel.codec.carrier import Stop
from nrs.tunnel.codec.interface import Codec
from nrs.tunnel.codec.python.opening import Opened, Reason
from nrs.tunnel.codec.python.sealing import Send
from nrs.tunnel.codec.sealing import Check, Sealer
from nrs.tunnel.drop import Drop
from nrs.tunnel.inner import Owned
from nrs.tunnel.wire import Cipher
from tests.tunnel.codecs import count_from, opening, sealing
from tests.tunnel.packets import VNET, sent_by_kernel

KEY = bytes(range(32))
INDEX = 7
OWNED = Owned([ipaddress.ip_address(a).packed for a in ("10.10.100.1", "fd00:10:100::1")])
_REASONS = {
    Reason.TAG: Drop.TAG,
    Reason.REPLAY: Drop.REPLAY,
    Reason.SOURCE: Drop.SOURCE,
    Reason.MALFORMED: Drop.MALFORMED,
}


def pktinfo(address: str) -> bytes:
    """An address of our own as a datagram that was sent to it says it."""
    own = ipaddress.ip_address(address).packed
    return own + bytes(4) if len(own) == 16 else bytes(4) + own + bytes(4)


def plain(packet: bytes) -> bytes:
    """The frame of a packet whose checksums are complete."""
    return bytes(VNET.size) + packet


def partial(packet: bytes, start: int, offset: int) -> bytes:
    """The frame of a packet whose checksum at `start + offset` covers the pseudo-header only."""
    return VNET.pack(1, 0, 0, 0, start, offset) + packet


def sends(codec: Codec, frames: list[bytes], sealer: Sealer) -> list[tuple[Send, list[bytes]]]:
    """The sends of frames that go together, and the datagrams in each."""
    room, datagrams = codec.frames(), sealing(codec)
    room.load(frames)
    made: list[tuple[Send, list[bytes]]] = []
    first = 0
    while first < len(frames):
        datagrams.clear()
        first = datagrams.seal(sealer, room, first, len(frames)).next
        for send in datagrams.sends:
            end = send.offset + send.length
            made.append(
                (
                    send,
                    [
                        bytes(datagrams.view[at : min(at + send.each, end)])
                        for at in range(send.offset, end, send.each)
                    ],
                )
            )
    return made


def limited(codec: Codec, body: int = wire.INNER_MTU, *, settled: bool = False) -> Sealer:
    """A new sealer for a path whose datagrams hold so much."""
    sealer = codec.sealer(KEY, INDEX)
    sealer.limit(body, settled=settled)
    return sealer


def sealed(codec: Codec, frames: list[bytes], sealer: Sealer | None = None) -> list[bytes]:
    """The datagrams of frames that go together."""
    made = sends(codec, frames, sealer or limited(codec))
    return [datagram for _, datagrams in made for datagram in datagrams]


def authentic(
    kind: int, body: bytes, *, flags: int = 0, specific: int = 0, sequence: int = 1, lane: int = 0
) -> bytes:
    """A datagram with any contents and a right tag."""
    header = wire.HEADER.pack(wire.VERSION << 4 | kind, flags, 0, lane, INDEX, sequence, specific)
    return header + body + hmac.digest(KEY, header + body, "sha256")


def batch_entry(packet: bytes, checksum_partial: bool = False) -> bytes:
    """A packet in a BATCH."""
    return (len(packet) | checksum_partial << 15).to_bytes(2, "big") + packet


def sealer_after(codec: Codec, sequence: int, index: int = INDEX, key_id: int = 0) -> Sealer:
    """A sealer that has sealed so many datagrams already."""
    sealer = codec.sealer(KEY, index, key_id)
    count_from(sealer, sequence)
    return sealer


def refused(codec: Codec, frame: bytes) -> bool:
    """Whether a frame is counted as malformed and nothing is made of it."""
    room, datagrams = codec.frames(), sealing(codec)
    room.load([frame])
    result = datagrams.seal(limited(codec), room, 0, 1)
    assert (result.malformed == 1) == (datagrams.sends == [])
    return result.malformed == 1


class Receiver:
    """One session's opener, and the frames that it would write to the TUN device."""

    def __init__(
        self,
        codec: Codec,
        *,
        udp_offload: bool = True,
        key: bytes = KEY,
        lanes: int = 1,
        cipher: Cipher = Cipher.NONE,
    ) -> None:
        self._opening = opening(codec, udp_offload=udp_offload)
        self.opener = codec.opener(key, INDEX, OWNED, Check.SOURCE, lanes, cipher=cipher)
        self.opened: list[Opened] = []

    def train(self, datagrams: Iterable[bytes]) -> list[Drop]:
        """Datagrams in a row, together where the kernel would coalesce them; what was dropped."""
        reasons: list[Drop] = []
        waiting = list(datagrams)
        while waiting:
            each = len(waiting[0])
            count = 1
            while count < len(waiting) and len(waiting[count - 1]) == each >= len(waiting[count]):
                count += 1
            reasons += self._open(b"".join(waiting[:count]), each)
            del waiting[:count]
        return reasons

    def one(self, datagram: bytes) -> Drop | None:
        """Why a datagram that comes alone is dropped."""
        reasons = self.train([datagram])
        assert len(reasons) <= 1
        return reasons[0] if reasons else None

    def wait(self) -> None:
        """A second passes."""
        self._opening.age()

    def _open(self, train: bytes, each: int) -> list[Drop]:
        view = memoryview(bytearray(train))
        start = 0
        reasons: list[Drop] = []
        while start < len(train):
            result = self._opening.open(self.opener, view, each, start, 0)
            assert result.stop is not Stop.FOREIGN
            self.opened.append(result)
            for reason, count in zip(_REASONS.values(), result.drops, strict=True):
                reasons += [reason] * count
            start = result.at if result.stop is Stop.DONE else result.at + each
        return reasons

    def frames(self) -> list[bytes]:
        """What would have been written since the last call."""
        return self._opening.take()

    def packets(self) -> list[bytes]:
        """What the inner receiver gets of them."""
        return [packet for frame in self.frames() for packet in sent_by_kernel(frame)]

    @property
    def packet_count(self) -> int:
        """Inner packets counted."""
        return sum(result.packets for result in self.opened)
