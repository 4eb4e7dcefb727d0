"""A verified control datagram, taken apart."""

from __future__ import annotations

from dataclasses import dataclass

from nrs.tunnel import wire
from nrs.tunnel.wire import Cipher, Type


@dataclass(frozen=True, slots=True)
class Control:
    """Its header, and its body without the tag."""

    kind: Type
    flags: int
    lane: int
    sequence: int
    specific: int
    body: bytes
    cipher: Cipher = Cipher.NONE
    """Of its session."""
    from_candidate: bool = False
    """Whether it came from where the session's peer has yet to prove to be."""

    @property
    def length(self) -> int:
        """Bytes of the whole datagram."""
        return self.cipher.overhead + len(self.body)

    @classmethod
    def decode(
        cls, datagram: bytes, cipher: Cipher = Cipher.NONE, *, from_candidate: bool = False
    ) -> Control:
        """Of a datagram that has been opened: its tag and type are right, its body is clear."""
        first, flags, _, lane, _, sequence, specific = wire.HEADER.unpack_from(datagram)
        body = datagram[wire.HEADER_BYTES : -cipher.tag_bytes]
        kind = Type(first & 0x0F)
        return cls(kind, flags, lane, sequence, specific, body, cipher, from_candidate)
