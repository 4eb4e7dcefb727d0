"""Sessions in memory that outlives the process.

The codecs count and keep their replay windows right in it, so what a killed process leaves is
what it has sent and received. A slot, of which there are MOST_SESSIONS:

    0     u8    1: used, written last; 0: free
    4     u32   bytes of the record
    8           counter of the sealer, window of the opener (one lane each), path
    1132        `Progress`: confirmed (u8), active (u8), since (f64, at 1136)
    1134  u16   port of its socket
    1144        the record, written once: keys, indices, claim, whose session it is

All in host order.
"""

from __future__ import annotations

import logging
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from nrs.tunnel.codec.carrier import PATH, PATH_BYTES
from nrs.tunnel.codec.sealing import COUNTER_BYTES
from nrs.tunnel.memory_file import MemoryFile
from nrs.tunnel.record import Progress, Record
from nrs.tunnel.replay import WINDOW_BYTES
from nrs.tunnel.slots import Slots
from nrs.tunnel.udp_socket import SocketAddress, unpacked

log = logging.getLogger(__name__)

MOST_SESSIONS = 65_536
"""Further sessions work as well, but do not outlive the process."""

_LAYOUT = "nrs sessions 3"
"""Another layout is another number."""
_SLOT_BYTES = 1792
"""With the longest record, of a claim with MOST_PREFIXES."""
_USED = struct.Struct("=BxxxI")
_COUNTER = _USED.size
_WINDOW = _COUNTER + COUNTER_BYTES
_PATH = _WINDOW + WINDOW_BYTES
_PROGRESS_FORMAT = struct.Struct("=BBHd")
_PROGRESS = _PATH + PATH_BYTES
_PORT_FORMAT = struct.Struct("=H")
_PORT = _PROGRESS + 2
_RECORD = _PROGRESS + _PROGRESS_FORMAT.size


@dataclass(eq=False, slots=True)
class Slot:
    """The memory of one session. Its views stay valid as long as the process lives."""

    _memory: SessionMemory = field(repr=False)
    _start: int

    def _view(self, offset: int, length: int) -> memoryview:
        return self._memory.view[self._start + offset : self._start + offset + length]

    @property
    def counter(self) -> memoryview:
        """Of the sealer."""
        return self._view(_COUNTER, COUNTER_BYTES)

    @property
    def window(self) -> memoryview:
        """Of the opener."""
        return self._view(_WINDOW, WINDOW_BYTES)

    @property
    def path(self) -> memoryview:
        """Of the path."""
        return self._view(_PATH, PATH_BYTES)

    @property
    def peer(self) -> tuple[SocketAddress | None, bytes | None]:
        """What the path says: the peer, and our own address; None for a connected socket."""
        address_length, local_length, address, local = PATH.unpack(self.path)
        return unpacked(address[:address_length]) or None, local[:local_length] or None

    @property
    def progress(self) -> Progress:
        """As noted last."""
        confirmed, active, _, since = _PROGRESS_FORMAT.unpack_from(
            self._memory.view, self._start + _PROGRESS
        )
        return Progress(bool(confirmed), bool(active), since)

    def note(self, progress: Progress) -> None:
        """Take it down."""
        _PROGRESS_FORMAT.pack_into(
            self._memory.view,
            self._start + _PROGRESS,
            progress.confirmed,
            progress.active,
            self.port,
            progress.since,
        )

    @property
    def port(self) -> int:
        """Of the socket that the session came in at last; 0: not known."""
        return int(_PORT_FORMAT.unpack_from(self._memory.view, self._start + _PORT)[0])

    @port.setter
    def port(self, port: int) -> None:
        _PORT_FORMAT.pack_into(self._memory.view, self._start + _PORT, port)

    def release(self) -> None:
        """The session is over: nothing of it stays, keys neither."""
        self._memory.release(self._start)


class SessionMemory:
    """The slots; of the sessions of an earlier process, where there is one, and of this one."""

    def __init__(self, inherited: int | None = None, most: int = MOST_SESSIONS) -> None:
        """Raises OSError."""
        self._file = MemoryFile(_LAYOUT, most * _SLOT_BYTES, inherited)
        self.view = self._file.view
        found = range(-(-self._file.used_until() // _SLOT_BYTES))
        used = [number for number in found if self._is_used(number * _SLOT_BYTES)]
        for number in set(found) - set(used):
            self._wipe(number * _SLOT_BYTES)  # it may have been cut off in the middle
        self._slots = Slots(most, used)
        self._full = False

    @property
    def file(self) -> MemoryFile:
        """For systemd to keep."""
        return self._file

    def __iter__(self) -> Iterator[tuple[Slot, Record]]:
        """The sessions in it; one that cannot be read is released."""
        for start in range(0, self._file.used_until() - _SLOT_BYTES + 1, _SLOT_BYTES):
            if not self._is_used(start):
                continue
            length = _USED.unpack_from(self.view, start)[1]
            data = bytes(self.view[start + _RECORD : start + min(_RECORD + length, _SLOT_BYTES)])
            try:
                record = Record.decode(data)
            except ValueError as error:
                log.warning("a session of an earlier run cannot be read: %s", error)
                self.release(start)
            else:
                yield Slot(self, start), record

    def allocate(self, record: Record) -> Slot | None:
        """A slot with the record, its memory all zero; None where there is no room."""
        data = record.encode()
        number = self._slots.take() if _RECORD + len(data) <= _SLOT_BYTES else None
        if number is None:
            if not self._full:
                log.warning(
                    "no room to keep the session with %s over a restart", record.claim.endpoint_id
                )
            self._full = True
            return None
        start = number * _SLOT_BYTES
        self.view[start + _RECORD : start + _RECORD + len(data)] = data
        _USED.pack_into(self.view, start, 0, len(data))
        self.view[start] = 1
        return Slot(self, start)

    def release(self, start: int) -> None:
        """Wipe the slot at `start` and have it used again."""
        self._wipe(start)
        self._slots.give_back(start // _SLOT_BYTES)
        self._full = False

    def close(self) -> None:
        """Close the descriptor; what is kept elsewhere stays."""
        self._file.close()

    def _is_used(self, start: int) -> bool:
        return self.view[start] == 1

    def _wipe(self, start: int) -> None:
        self.view[start] = 0
        self.view[start : start + _SLOT_BYTES] = bytes(_SLOT_BYTES)
