"""What a tunnel has sent and its router has not acknowledged: to be sent again elsewhere.

A ring of 100 ms and 4 MB at most, the oldest out first. Pure.
"""

from __future__ import annotations

from collections import deque

KEPT_S = 0.100
MOST_BYTES = 4 << 20


class ResendRing:
    """Frames by the number of the last datagram that carried them."""

    def __init__(self, kept: float = KEPT_S, most: int = MOST_BYTES) -> None:
        self._kept, self._most = kept, most
        # last sequence number, time, bytes, frames
        self._entries: deque[tuple[int, float, int, list[bytes]]] = deque()
        self._bytes = 0

    def keep(self, sequence: int, frames: list[bytes], now: float) -> None:
        """`frames` have left in datagrams up to number `sequence`."""
        size = sum(map(len, frames))
        self._entries.append((sequence, now, size, frames))
        self._bytes += size
        entries = self._entries
        while entries and (self._bytes > self._most or entries[0][1] < now - self._kept):
            self._bytes -= entries.popleft()[2]

    def acknowledged(self, highest: int) -> None:
        """The router has received up to number `highest`."""
        entries = self._entries
        while entries and entries[0][0] <= highest:
            self._bytes -= entries.popleft()[2]

    def take(self, now: float) -> list[bytes]:
        """What is to be sent again, in order; the ring is empty then."""
        frames = [
            frame
            for _, sent, _, entry in self._entries
            if sent >= now - self._kept
            for frame in entry
        ]
        self.clear()
        return frames

    def clear(self) -> None:
        """Another session: its numbers begin anew."""
        self._entries.clear()
        self._bytes = 0

    def __len__(self) -> int:
        return sum(len(entry[3]) for entry in self._entries)
