"""Where flows began, in memory that outlives the process.

A table in no order, with a place of 56 bytes for each flow:

    0     u8    1: used, written last; 0: free
    1     u8    bytes of the key
    8     u64   the tunnel: the first bytes of its router id's SHA-256
    16          the key, up to 37 bytes

In host order.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterable, Iterator

from nrs.endpoint.flows import MOST_FLOWS, FlowTable
from nrs.tunnel.memory_file import MemoryFile
from nrs.tunnel.slots import Slots

_LAYOUT = "nrs flows 1"
"""Another layout is another number."""
_PLACE = struct.Struct("=xB6xQ37s3x")


class FlowMemory:
    """The table, as an earlier process has left it, and as this one goes on with it."""

    def __init__(self, inherited: int | None = None, most: int = MOST_FLOWS) -> None:
        """Raises OSError."""
        self._file = MemoryFile(_LAYOUT, most * _PLACE.size, inherited)
        self._view = self._file.view
        self._slots = Slots(most, (slot for slot, _, _ in self._used()))
        self._numbers: dict[str, int] = {}

    @property
    def file(self) -> MemoryFile:
        """For systemd to keep."""
        return self._file

    def keep(self, flow: bytes, tunnel: str, slot: int | None) -> int | None:
        """Take down that a flow belongs to a tunnel; its slot. `slot` is the one it has.

        None where there is no room: the flow is not known after a restart.
        """
        if slot is None:
            slot = self._slots.take()
            if slot is None:
                return None
        start = slot * _PLACE.size
        self._view[start] = 0
        self._view[start + 1 : start + _PLACE.size] = _PLACE.pack(
            len(flow), self._number(tunnel), flow
        )[1:]
        self._view[start] = 1
        return slot

    def forget(self, slot: int) -> None:
        """The flow in this slot is over."""
        self._view[slot * _PLACE.size] = 0
        self._slots.give_back(slot)

    def replay(self, table: FlowTable, tunnels: Iterable[str], now: float) -> None:
        """Fill an empty table; flows of tunnels that are not there any more are forgotten."""
        names = {self._number(name): name for name in tunnels}
        for slot, number, flow in list(self._used()):
            tunnel = names.get(number)
            if tunnel is None:
                self.forget(slot)
            else:
                table.restore(flow, tunnel, now, slot)

    def close(self) -> None:
        """Close the descriptor; what is kept elsewhere stays."""
        self._file.close()

    def _used(self) -> Iterator[tuple[int, int, bytes]]:
        for start in range(0, self._file.used_until() - _PLACE.size + 1, _PLACE.size):
            if self._view[start] == 1:
                length, number, key = _PLACE.unpack_from(self._view, start)
                yield start // _PLACE.size, number, key[:length]

    def _number(self, tunnel: str) -> int:
        number = self._numbers.get(tunnel)
        if number is None:
            digest = hashlib.sha256(tunnel.encode()).digest()
            number = self._numbers[tunnel] = int.from_bytes(digest[:8], "big")
        return number
