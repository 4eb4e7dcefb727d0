"""Where flows began, in memory that outlives the process.

A ring of entries, of which each says that a flow has been given to a tunnel, or that a tunnel
has given up its flows. The oldest are written over: there are twice as many as flows in a table.

    0     u64     entries written so far
    64    entries of 48 bytes: kind (u8), bytes of the key (u8), tunnel (u64), key (up to 37)

In host order; the number is written after its entry.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator
from enum import IntEnum

from nrs.endpoint.flows import MOST_FLOWS, TCP, FlowTable
from nrs.tunnel.memory_file import MemoryFile

MOST_ENTRIES = 2 * MOST_FLOWS

_LAYOUT = "nrs flows 1"
"""Another layout is another number."""
_WRITTEN = struct.Struct("=Q")
_FIRST = 64
_ENTRY = struct.Struct("=BBQ37sx")


class _Kind(IntEnum):
    GIVEN = 1
    RELEASED = 2
    RELEASED_BUT_TCP = 3


class FlowJournal:
    """Writes down what becomes of flows."""

    def __init__(self, inherited: int | None = None) -> None:
        """Go on where an earlier process has ended. Raises OSError."""
        self._file = MemoryFile(_LAYOUT, _FIRST + MOST_ENTRIES * _ENTRY.size, inherited)
        self._view = self._file.view
        self._written = _WRITTEN.unpack_from(self._view)[0]
        self._numbers: dict[str, int] = {}

    @property
    def file(self) -> MemoryFile:
        """For systemd to keep."""
        return self._file

    def given(self, flow: bytes, tunnel: str) -> None:
        """A flow belongs to a tunnel from now on."""
        self._write(_Kind.GIVEN, tunnel, flow)

    def released(self, tunnel: str, *, but_tcp: bool) -> None:
        """A tunnel has given up its flows."""
        self._write(_Kind.RELEASED_BUT_TCP if but_tcp else _Kind.RELEASED, tunnel)

    def replay(self, table: FlowTable, tunnels: Iterable[str], now: float) -> None:
        """Fill an empty table; flows of tunnels that are not there any more are left out."""
        names = {self._number(name): name for name in tunnels}
        given: dict[bytes, tuple[int, int]] = {}
        released: dict[tuple[int, bool], int] = {}
        for index, kind, number, flow in self._entries():
            if kind == _Kind.GIVEN:
                given.pop(flow, None)
                given[flow] = index, number
            else:
                released[number, False] = index
                if kind == _Kind.RELEASED:
                    released[number, True] = index
        for flow, (index, number) in given.items():
            tunnel = names.get(number)
            if tunnel is not None and index > released.get((number, flow[0] == TCP), -1):
                table.restore(flow, tunnel, now)

    def _entries(self) -> Iterator[tuple[int, int, int, bytes]]:
        for index in range(max(0, self._written - MOST_ENTRIES), self._written):
            kind, length, number, key = _ENTRY.unpack_from(self._view, _place(index))
            yield index, kind, number, key[:length]

    def _write(self, kind: _Kind, tunnel: str, flow: bytes = b"") -> None:
        _ENTRY.pack_into(
            self._view, _place(self._written), kind, len(flow), self._number(tunnel), flow
        )
        self._written += 1
        _WRITTEN.pack_into(self._view, 0, self._written)

    def _number(self, tunnel: str) -> int:
        number = self._numbers.get(tunnel)
        if number is None:
            digest = hashlib.sha256(tunnel.encode()).digest()
            number = self._numbers[tunnel] = int.from_bytes(digest[:8], "big")
        return number

    def close(self) -> None:
        """Close the descriptor; what is kept elsewhere stays."""
        self._file.close()


def _place(index: int) -> int:
    return _FIRST + index % MOST_ENTRIES * _ENTRY.size
