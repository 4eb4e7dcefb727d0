"""Messages of rtnetlink and their attributes (RFC 3549 section 2). Pure.

message     length (u32) | type (u16) | flags (u16) | sequence (u32) | port (u32) | body
attribute   length (u16) | type (u16) | value, padded to 4 bytes
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

UNSPEC, INET, INET6 = 0, 2, 10
"""AF_UNSPEC, AF_INET, AF_INET6."""
NOOP, ERROR, DONE = 1, 2, 3
REQUEST, ACK, DUMP = 0x1, 0x4, 0x300
REPLACE, EXCLUSIVE, CREATE, APPEND = 0x100, 0x200, 0x400, 0x800

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_ATTRIBUTE_TYPE = 0x3FFF


def message(kind: int, flags: int, sequence: int, body: bytes) -> bytes:
    """A message from this process; `body` is a multiple of 4 bytes."""
    return _HEADER.pack(_HEADER.size + len(body), kind, flags, sequence, 0) + body


def attribute(kind: int, value: bytes) -> bytes:
    """An attribute, padded."""
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def messages(data: bytes) -> Iterator[tuple[int, int, bytes]]:
    """Type, sequence and body of the messages of one receive; what is cut off is left."""
    for kind, sequence, _, body in told(data):
        yield kind, sequence, body


def told(data: bytes) -> Iterator[tuple[int, int, int, bytes]]:
    """As `messages`, with the port of the socket that has caused it (third)."""
    offset = 0
    while offset + _HEADER.size <= len(data):
        length, kind, _, sequence, port = _HEADER.unpack_from(data, offset)
        if length < _HEADER.size or offset + length > len(data):
            return
        yield kind, sequence, port, data[offset + _HEADER.size : offset + length]
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
