"""A verified control datagram, taken apart."""

from __future__ import annotations

from dataclasses import dataclass

from nrs.tunnel import wire
from nrs.tunnel.wire import Type


@dataclass(frozen=True, slots=True)
class Control:
    """Its header, and its body without the tag."""

    kind: Type
    flags: int
    lane: int
    sequence: int
    specific: int
    body: bytes
    from_candidate: bool = False
    """Whether it came from where the session's peer has yet to prove to be."""

    @classmethod
    def decode(cls, datagram: bytes, *, from_candidate: bool = False) -> Control:
        """Of a datagram whose tag and type have been checked."""
        first, flags, _, lane, _, sequence, specific = wire.HEADER.unpack_from(datagram)
        body = datagram[wire.HEADER_BYTES : -wire.TAG_BYTES]
        return cls(Type(first & 0x0F), flags, lane, sequence, specific, body, from_candidate)
