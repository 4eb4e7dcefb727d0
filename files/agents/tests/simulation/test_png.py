from __future__ import annotations

import struct
import zlib

from nrs.simulation.png import Canvas, text_width

PALETTE = ((255, 255, 255), (0, 0, 0), (200, 30, 30))


def chunks(data: bytes) -> dict[bytes, bytes]:
    """The chunks of a PNG file, each with a good checksum."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    found, at = {}, 8
    while at < len(data):
        (length,) = struct.unpack_from(">I", data, at)
        kind, body = data[at + 4 : at + 8], data[at + 8 : at + 8 + length]
        (checksum,) = struct.unpack_from(">I", data, at + 8 + length)
        assert checksum == zlib.crc32(kind + body)
        found[kind] = body
        at += 12 + length
    return found


def test_the_file_holds_the_pixels() -> None:
    canvas = Canvas(5, 3, PALETTE)
    canvas.line((0, 0), (4, 0), 1)
    canvas.line((4, 0), (4, 2), 2)
    found = chunks(canvas.encode())
    assert list(found) == [b"IHDR", b"PLTE", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBBBBB", found[b"IHDR"]) == (5, 3, 8, 3, 0, 0, 0)
    assert found[b"PLTE"] == bytes([255, 255, 255, 0, 0, 0, 200, 30, 30])
    rows = zlib.decompress(found[b"IDAT"])
    assert rows == b"\0\1\1\1\1\2" + b"\0\0\0\0\0\2" * 2


def test_a_line_has_no_holes() -> None:
    canvas = Canvas(20, 20, PALETTE)
    canvas.line((1, 18), (17, 2), 1)
    assert all(any(canvas.get(x, y) for y in range(20)) for x in range(1, 18))
    assert all(any(canvas.get(x, y) for x in range(20)) for y in range(2, 19))


def test_what_lies_outside_is_not_drawn() -> None:
    canvas = Canvas(4, 4, PALETTE)
    canvas.line((-10, 2), (10, 2), 1)
    canvas.text(-100, -100, "router", 1)
    assert [canvas.get(x, 2) for x in range(4)] == [1] * 4
    assert [canvas.get(x, 0) for x in range(4)] == [0] * 4


def test_text_is_as_wide_as_told() -> None:
    canvas = Canvas(100, 20, PALETTE)
    canvas.text(0, 0, "0.5", 1)
    drawn = [x for x in range(100) if any(canvas.get(x, y) for y in range(20))]
    assert min(drawn) == 0
    assert max(drawn) < text_width("0.5") <= 30
    other = Canvas(100, 20, PALETTE)
    other.text(0, 0, "0.6", 1)
    assert other.encode() != canvas.encode()
