"""What is kept of the frames that have been read, with either codec."""

from __future__ import annotations

import pytest

from nrs.tunnel.codec import load
from nrs.tunnel.virtio import PLAIN
from tests.tunnel.packets import TCP, UDP, SuperPacket

V6 = ("fd00:10:100::1", "2001:db8:100::10")


def frame(protocol: int, payload: bytes, *addresses: str) -> bytes:
    packet = SuperPacket(protocol, payload, len(payload), *addresses)
    return PLAIN + packet._build(0, payload, 0, partial=False)


@pytest.mark.parametrize("name", ["c", "python"])
def test_frames_are_copied_as_they_were_but_for_tcp(name: str) -> None:
    read = [
        frame(UDP, b"first"),
        frame(TCP, b"second"),
        frame(UDP, b"third", *V6),
        frame(TCP, b"fourth", *V6),
        frame(UDP, b"fifth"),
    ]
    frames = load(name).frames()
    frames.load(read)
    assert frames.copied_but_tcp(0, 5) == [read[0], read[2], read[4]]
    assert frames.copied_but_tcp(1, 4) == [read[2]]
    assert frames.copied_but_tcp(3, 4) == []
    frames.load([read[3]])
    assert frames.copied_but_tcp(0, 1) == []
