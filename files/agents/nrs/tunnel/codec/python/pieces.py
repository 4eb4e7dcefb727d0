"""Packets that have arrived in part: pieces are put together in bounded memory and time."""

from __future__ import annotations

import struct
from dataclasses import dataclass

from nrs.tunnel import wire
from nrs.tunnel.codec.python.layout import PLACE_BYTES

_MOST_PIECES = 32
_MOST = 64
_MOST_OF_A_SESSION = 8
_LEAST_CONTENT = PLACE_BYTES + 20
_MOST_CONTENT = PLACE_BYTES + wire.LONGEST_PACKET
_PLACE = struct.Struct("!HH")
_CE = 3

Key = tuple[int, int, int]
"""Session, lane, and the sequence number of the first piece."""


class BadPiece(ValueError):
    """A piece that fits no packet."""


@dataclass
class Joined:
    """A whole packet, and where its checksum is."""

    packet: bytes
    place: tuple[int, int]
    ecn: int


@dataclass
class _Join:
    """A packet of which pieces have arrived."""

    shape: tuple[int, int, int, bool]
    """Pieces, bytes of each but the last, bytes of all, whether the checksum is partial."""
    pieces: dict[int, bytes]
    ecn: int
    aged: bool = False


class Joiner:
    """The packets of all sessions; the oldest goes where there is no room for another."""

    def __init__(self) -> None:
        self._joins: dict[Key, _Join] = {}

    def age(self) -> None:
        """Forget what had arrived in part before the last call: call it once a second."""
        for key, join in list(self._joins.items()):
            if join.aged:
                del self._joins[key]
            join.aged = True

    def add(
        self,
        session: int,
        lane: int,
        sequence: int,
        specific: int,
        piece: memoryview,
        *,
        partial: bool,
        ecn: int,
    ) -> Joined | None:
        """The packet that this piece completes. Raises BadPiece.

        Pieces have consecutive numbers: that of the first one tells their packet.
        """
        index, count, total = specific >> 24, specific >> 16 & 0xFF, specific & 0xFFFF
        length = len(piece)
        if (
            not 2 <= count <= _MOST_PIECES
            or index >= count
            or sequence <= index
            or not 0 < length <= total
            or not _LEAST_CONTENT <= total <= _MOST_CONTENT
        ):
            raise BadPiece
        each, rest = (length, 0) if index < count - 1 else divmod(total - length, count - 1)
        if rest or not each * (count - 1) < total <= each * count:
            raise BadPiece
        key, shape = (session, lane, sequence - index), (count, each, total, partial)
        join = self._joins.get(key)
        if join is None:
            self._make_room(session)
            join = self._joins[key] = _Join(shape, {}, ecn)
        elif join.shape != shape:
            raise BadPiece
        join.pieces[index] = bytes(piece)
        if join.ecn != _CE:
            join.ecn = ecn
        if len(join.pieces) < count:
            return None
        del self._joins[key]
        content = b"".join(join.pieces[number] for number in range(count))
        return Joined(content[PLACE_BYTES:], _PLACE.unpack_from(content), join.ecn)

    def _make_room(self, session: int) -> None:
        own = [key for key in self._joins if key[0] == session]
        if len(own) >= _MOST_OF_A_SESSION:
            del self._joins[own[0]]
        elif len(self._joins) >= _MOST:
            del self._joins[next(iter(self._joins))]
