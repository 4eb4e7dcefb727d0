"""Messages of rtnetlink and their attributes (RFC 3549 section 2). Pure.

message     length (u32) | type (u16) | flags (u16) | sequence (u32) | port (u32) | body
attribute   length (u16) | type (u16) | value, padded to 4 bytes
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

NOOP, ERROR, DONE = 1, 2, 3
REQUEST, ACK, DUMP = 0x1, 0x4, 0x300
REPLACE, CREATE = 0x100, 0x400

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_ATTRIBUTE_TYPE = 0x3FFF


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """A message from this process; `body` is a multiple of 4 bytes."""
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, sequence, 0) + body


def attribute(kind: int, value: bytes) -> bytes:
    """An attribute; `value` is a multiple of 4 bytes."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value


def messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, sequence and body of the messages of one receive; what is cut off is left."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, _, sequence, _ = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size or offset + length > len(data):
            return
        yield kind, sequence, data[offset + _HEADER.size : offset + length]
        offset += (length + 3) & ~3


def attributes(body: bytes, offset: int) -> dict[int, bytes]:
    """The attributes in `body` from `offset` on."""
    found = {}
    while offset + _ATTRIBUTE.size <= len(body):
        length, kind = _ATTRIBUTE.unpack_from(body, offset)
        if length < _ATTRIBUTE.size:
            break
        found[kind & _ATTRIBUTE_TYPE] = body[offset + _ATTRIBUTE.size : offset + length]
        offset += (length + 3) & ~3
    return found
