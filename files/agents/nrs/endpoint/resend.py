"""What a tunnel has sent and nobody has confirmed: to be sent again elsewhere.

A router confirms in two steps: that it has received a packet, and, where it watches its way on,
that the way on still worked afterwards. Until the first, a packet is kept for 100 ms; until the
second for 1 s, as long as a router may need to see that its way on is gone. Each at most 4 MB, the
oldest out first. TCP is not kept: no connection outlives another router's NAT, and where there is
none it repeats by itself what is missing. Pure.
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

SENT_S = 0.100
RECEIVED_S = 1.0
MOST_BYTES = 4 << 20


class _Entry(NamedTuple):
    """Frames by the number of the last datagram that carried them."""

    sequence: int
    sent: float
    size: int
    frames: list[bytes]


class _Kept:
    """Entries in the order of their numbers, bounded in age and bytes."""

    def __init__(self, kept: float, most: int) -> None:
        self._kept, self._most = kept, most
        self._entries: deque[_Entry] = deque()
        self._bytes = 0

    def add(self, entry: _Entry, now: float) -> None:
        self._entries.append(entry)
        self._bytes += entry.size
        entries = self._entries
        while entries and (self._bytes > self._most or entries[0].sent < now - self._kept):
            self._bytes -= entries.popleft().size

    def until(self, sequence: int) -> list[_Entry]:
        """Take the entries up to a number out."""
        entries, out = self._entries, []
        while entries and entries[0].sequence <= sequence:
            entry = entries.popleft()
            self._bytes -= entry.size
            out.append(entry)
        return out

    def frames(self, now: float) -> list[bytes]:
        since = now - self._kept
        return [frame for entry in self._entries if entry.sent >= since for frame in entry.frames]

    def clear(self) -> None:
        self._entries.clear()
        self._bytes = 0

    def __len__(self) -> int:
        return sum(len(entry.frames) for entry in self._entries)


class ResendRing:
    """The frames of one session."""

    def __init__(self, most: int = MOST_BYTES) -> None:
        self._sent = _Kept(SENT_S, most)
        self._received = _Kept(RECEIVED_S, most)

    def keep(self, sequence: int, frames: list[bytes], now: float) -> None:
        """`frames` have left in datagrams up to number `sequence`."""
        self._sent.add(_Entry(sequence, now, sum(map(len, frames)), frames), now)

    def acknowledged(self, highest: int, confirmed: int, now: float) -> None:
        """The router has received up to `highest`; its way on worked after it had `confirmed`."""
        self._received.until(confirmed)
        for entry in self._sent.until(highest):
            if entry.sequence > confirmed:
                self._received.add(entry, now)

    def take(self, now: float, *, received: bool) -> list[bytes]:
        """What is to be sent again, in order; the ring is empty then.

        `received`: also what the router has received and did not confirm.
        """
        frames = self._received.frames(now) if received else []
        frames += self._sent.frames(now)
        self.clear()
        return frames

    def clear(self) -> None:
        """Another session: its numbers begin anew."""
        self._sent.clear()
        self._received.clear()

    def __len__(self) -> int:
        return len(self._sent) + len(self._received)
