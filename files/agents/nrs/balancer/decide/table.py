"""What each endpoint was told, for as long as it keeps asking."""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict
from collections.abc import Iterable, Iterator
from typing import NamedTuple

ACTIVE_FOR_S = 300.0
"""An endpoint that asked this recently counts as having an active decision."""

FORGET_AFTER_S = 3600.0
MOST_ENDPOINTS = 200_000


class Entry:
    """One endpoint: its router and since when, the one before, what it can use, when it asked.

    `since` is the time of its last move, -inf where that is not known; `candidates` None stands
    for any router; `confirmed` says that the endpoint has told that it is there, `fled` that it
    had gone there by itself when it last asked. It is taken to carry `mbps`, and `moved_mbps` is
    what its last move was counted as. `records` are as in `history`.
    """

    __slots__ = (
        "asked_at",
        "candidates",
        "confirmed",
        "counted_at",
        "fled",
        "mbps",
        "moved_mbps",
        "previous",
        "records",
        "router_id",
        "since",
    )

    def __init__(
        self,
        router_id: str,
        since: float,
        candidates: tuple[str, ...] | None,
        asked_at: float,
        *,
        previous: str | None = None,
    ) -> None:
        self.router_id = router_id
        self.since = since
        self.candidates = candidates
        self.asked_at = asked_at
        self.counted_at: int | None = None
        """The second that the table counts it in."""
        self.previous = previous
        self.confirmed = self.fled = False
        self.mbps = self.moved_mbps = 0.0
        self.records = bytearray()

    def may_use(self, router_id: str) -> bool:
        """Whether the endpoint has a tunnel to this router."""
        return self.candidates is None or router_id in self.candidates


class DecisionTable:
    """Entries by endpoint, the longest silent first; bounded in age and number."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, Entry] = OrderedDict()
        self._asked: Counter[int] = Counter()
        """How many have asked last in each second."""

    def __len__(self) -> int:
        return len(self._entries)

    def __iter__(self) -> Iterator[tuple[str, Entry]]:
        return iter(self._entries.items())

    def get(self, endpoint_id: str, now: float) -> Entry | None:
        """The endpoint's entry, unless it has been silent for too long."""
        self.forget(now)
        return self._entries.get(endpoint_id)

    def peek(self, endpoint_id: str) -> Entry | None:
        """The endpoint's entry, however long it has been silent."""
        return self._entries.get(endpoint_id)

    def put(self, endpoint_id: str, entry: Entry) -> None:
        """Store the entry of an endpoint that asked just now."""
        before = self._entries.get(endpoint_id)
        if before is not None:
            self._uncount(before)
        self._entries[endpoint_id] = entry
        self._entries.move_to_end(endpoint_id)
        entry.counted_at = int(entry.asked_at)
        self._asked[entry.counted_at] += 1
        if len(self._entries) > MOST_ENDPOINTS:
            self._uncount(self._entries.popitem(last=False)[1])

    def active(self, now: float) -> int:
        """How many endpoints have asked lately, to the second."""
        return sum(count for second, count in self._asked.items() if now - second < ACTIVE_FOR_S)

    def _uncount(self, entry: Entry) -> None:
        if entry.counted_at is not None:
            self._asked[entry.counted_at] -= 1
            if not self._asked[entry.counted_at]:
                del self._asked[entry.counted_at]
            entry.counted_at = None

    def forget(self, now: float) -> None:
        """Drop those that have been silent for too long."""
        while self._entries:
            endpoint_id, oldest = next(iter(self._entries.items()))
            if now - oldest.asked_at < FORGET_AFTER_S:
                return
            self._uncount(self._entries.pop(endpoint_id))


class Listed(NamedTuple):
    """Where an endpoint is; times of the wall clock, None where it is not known."""

    endpoint_id: str
    router_id: str
    since: float | None
    asked_at: float


class Page(NamedTuple):
    """A part of the endpoints by id, and after which the next one begins."""

    total: int
    decisions: list[Listed]
    next: str | None


def page(ids: Iterable[str], after: str | None, limit: int) -> tuple[list[str], str | None]:
    """The first `limit` of them by name that come after `after`; the last one if more follow."""
    rest = ids if after is None else (other for other in ids if other > after)
    found = heapq.nsmallest(limit + 1, rest)
    return found[:limit], found[limit - 1] if len(found) > limit else None
