"""What strangers send, and that it arrives as such."""

from __future__ import annotations

import json
import socket
import time
from contextlib import suppress
from ipaddress import IPv6Address, IPv6Network
from pathlib import Path

import pytest
from nrs.tunnel import wire
from nrs.tunnel.wire import Hello, KeyMode, Type

from bench.compiler import compiled
from bench.flood import junk, line
from bench.flood.junk import Frame, Junk, Source
from bench.pair import LINK, Pair
from bench.settings import CHECKOUT, Places

TARGET, PORT = IPv6Address("2001:db8:b::1"), 51820
MACS = (bytes.fromhex("020000000001"), bytes.fromhex("020000000002"))
MANY = Source(IPv6Network("3fff:f00::/24"))
_SO_RCVBUFFORCE = 33
SEEN = wire.HEADER.pack(wire.first_byte(Type.PROBE), 1, 7, 3, 0xDEADBEEF, 99, 0)


def changed(what: Junk) -> bytes:
    """With other bytes in every place that is random."""
    data = bytearray(what.datagram)
    for part in what.random:
        for at in range(part.at, part.at + part.size):
            data[at] ^= 0x01
    return bytes(data)


def test_data_of_a_random_session_is_of_the_present_version() -> None:
    what = junk.random_index()
    first, _, _, _, index, sequence, _ = wire.HEADER.unpack_from(changed(what))
    assert first == wire.first_byte(Type.DATA)
    assert (index, sequence) == (0x01010101, 0x0101010101)
    assert len(what.datagram) == junk.DATA_BYTES


def test_data_of_the_session_on_the_line_has_its_index_key_and_lane() -> None:
    what = junk.wrong_tag(SEEN)
    first, _, key_id, lane, index, sequence, _ = wire.HEADER.unpack_from(changed(what))
    assert (first, key_id, lane, index) == (wire.first_byte(Type.DATA), 7, 3, 0xDEADBEEF)
    assert sequence == 0x0101010101


def test_each_hello_is_well_formed_and_of_another_device() -> None:
    what = junk.hello()
    assert what.datagram[0] == wire.first_byte(Type.HELLO)
    one, other = (
        Hello.decode(data[wire.HEADER_BYTES : -wire.TAG_BYTES])
        for data in (what.datagram, changed(what))
    )
    assert one.key_mode is other.key_mode is KeyMode.DEVICE
    assert one.claim != other.claim
    assert one.nonce != other.nonce
    assert what.datagram[-wire.TAG_BYTES :] != changed(what)[-wire.TAG_BYTES :]


def test_where_a_frame_is_from_is_random_but_for_what_the_source_says() -> None:
    what = Junk(b"x" * 60, (junk.Part(4, 2),))
    one = junk.frame(what, Source(IPv6Network("2001:db8:a::1/128"), 4000), TARGET, PORT, MACS)
    assert one.random == (junk.Part(66, 2),)
    assert line.datagram(one.data, PORT) == line.Seen(4000, b"x" * 60)
    many = junk.frame(what, MANY, TARGET, PORT, MACS)
    assert many.random == (junk.Part(66, 2), junk.Part(25, 13), junk.Part(54, 2))
    with pytest.raises(ValueError, match=r"^3fff:f00::/36: its prefix does not end at a byte$"):
        junk.frame(what, Source(IPv6Network("3fff:f00::/36")), TARGET, PORT, MACS)


def test_the_line_tells_what_goes_to_the_router_and_what_is_of_a_session() -> None:
    probe, offer = Junk(SEEN, ()), junk.hello()
    of = [junk.frame(what, MANY, TARGET, PORT, MACS).data for what in (probe, offer)]
    assert [seen and seen.of_session for seen in (line.datagram(data, PORT) for data in of)] == [
        True,
        False,
    ]
    assert line.datagram(of[0], PORT + 1) is None
    assert line.datagram(of[0][:60], PORT) is None
    assert line.datagram(of[0][:12] + b"\x08\x00" + of[0][14:], PORT) is None


@pytest.fixture(scope="module")
def generator(tmp_path_factory: pytest.TempPathFactory) -> Path:
    source = CHECKOUT / "bench" / "flood" / "junk.c"
    return compiled(Places(tmp_path_factory.mktemp("programs")), source)


def arrived(generator: Path, frame: Frame, *words: object) -> tuple[list[tuple[bytes, str]], int]:
    """What a UDP socket has got, and from whom; how many were sent."""
    with Pair() as pair:
        b = pair.host("b")
        b.ip("address", "add", f"{TARGET}/64", "dev", LINK, "nodad")
        b.ip("link", "set", LINK, "address", MACS[0].hex(":"))
        with b.socket(socket.AF_INET6, socket.SOCK_DGRAM) as receiver:
            receiver.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, 1 << 24)
            receiver.bind((str(TARGET), PORT))
            receiver.setblocking(False)
            file = pair.directory / "frame"
            file.write_bytes(frame.data)
            said = pair.start("a", "junk", [generator, LINK, file, *words, *frame.random])
            found: list[tuple[bytes, str]] = []
            ended = False
            while not ended:
                ended = said.process.poll() is not None  # what is read after that is all
                with suppress(BlockingIOError):
                    while True:
                        data, source = receiver.recvfrom(2048)
                        found.append((data, str(source[0])))
                time.sleep(0.001)
        return found, int(json.loads(said.said)["sent"])


def test_frames_arrive_whole_from_many_sources_and_each_is_another(generator: Path) -> None:
    what = Junk(b"head" + bytes(8) + b"odd", (junk.Part(4, 8),))
    frame = junk.frame(what, MANY, TARGET, PORT, MACS)
    found, sent = arrived(generator, frame, 2000, 1)
    # A socket takes only those whose checksum is right.
    assert len(found) == sent > 0
    assert {data[:4] + data[12:] for data, _ in found} == {b"headodd"}
    assert len({data for data, _ in found}) == len(found)
    sources = {IPv6Address(source) for _, source in found}
    assert len(sources) == len(found)
    assert all(source in MANY.network for source in sources)


def test_the_rate_is_no_more_than_was_asked_for(generator: Path) -> None:
    frame = junk.frame(Junk(bytes(64), ()), MANY, TARGET, PORT, MACS)
    _, sent = arrived(generator, frame, 5000, 1)
    assert 1000 < sent <= 5100


def test_what_is_no_part_of_the_frame_is_refused(generator: Path, tmp_path: Path) -> None:
    file = tmp_path / "frame"
    file.write_bytes(junk.frame(Junk(bytes(64), ()), MANY, TARGET, PORT, MACS).data)
    with Pair() as pair:
        child = pair.start("a", "junk", [generator, LINK, file, 1, 1, "120:7"])
        assert child.process.wait(20) == 2
        assert child.said == "junk: 120:7 is no part of 126 bytes\n"
