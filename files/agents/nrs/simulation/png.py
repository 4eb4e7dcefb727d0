"""PNG images with a palette (ISO/IEC 15948), and a canvas to draw lines and text on.

Agents on hosts shall not need a plotting library for one picture.
"""

from __future__ import annotations

import struct
import zlib
from collections.abc import Sequence

from nrs.simulation.font import GLYPHS, HEIGHT, WIDTH

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
Colour = tuple[int, int, int]


class Canvas:
    """`width` x `height` pixels, each an index into `palette`; 0 is the background."""

    def __init__(self, width: int, height: int, palette: Sequence[Colour]) -> None:
        self.width = width
        self.height = height
        self._palette = palette
        self._rows = [bytearray(width) for _ in range(height)]

    def dot(self, x: int, y: int, colour: int) -> None:
        """A pixel; nothing where it lies outside."""
        if 0 <= x < self.width and 0 <= y < self.height:
            self._rows[y][x] = colour

    def get(self, x: int, y: int) -> int:
        """The colour of a pixel."""
        return self._rows[y][x]

    def line(self, start: tuple[int, int], end: tuple[int, int], colour: int) -> None:
        """A straight line, both ends included."""
        (x, y), (to_x, to_y) = start, end
        steps = max(abs(to_x - x), abs(to_y - y), 1)
        for step in range(steps + 1):
            self.dot(
                x + round((to_x - x) * step / steps), y + round((to_y - y) * step / steps), colour
            )

    def text(self, x: int, y: int, text: str, colour: int, scale: int = 2) -> None:
        """Text, its upper left corner at (x, y); what the font has not is left blank."""
        for position, character in enumerate(text.lower()):
            rows = GLYPHS.get(character, ())
            left = x + position * (WIDTH + 1) * scale
            for row, bits in enumerate(rows):
                for column in range(WIDTH):
                    if bits >> (WIDTH - 1 - column) & 1:
                        self._block(left + column * scale, y + row * scale, scale, colour)

    def encode(self) -> bytes:
        """The image as a PNG file."""
        head = struct.pack(">IIBBBBB", self.width, self.height, 8, 3, 0, 0, 0)
        palette = b"".join(bytes(colour) for colour in self._palette)
        pixels = b"".join(b"\0" + bytes(row) for row in self._rows)
        return (
            _SIGNATURE
            + _chunk(b"IHDR", head)
            + _chunk(b"PLTE", palette)
            + _chunk(b"IDAT", zlib.compress(pixels, 9))
            + _chunk(b"IEND", b"")
        )

    def _block(self, x: int, y: int, size: int, colour: int) -> None:
        for row in range(size):
            for column in range(size):
                self.dot(x + column, y + row, colour)


def text_width(text: str, scale: int = 2) -> int:
    """How many pixels `text` is wide."""
    return len(text) * (WIDTH + 1) * scale


TEXT_HEIGHT = HEIGHT * 2


def _chunk(kind: bytes, data: bytes) -> bytes:
    checksum = zlib.crc32(kind + data)
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", checksum)
