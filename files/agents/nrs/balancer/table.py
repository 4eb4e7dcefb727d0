"""What each endpoint was told, for as long as it keeps asking."""

from __future__ import annotations

from collections import OrderedDict
from dataclasses import dataclass

from nrs.balancer.decision import Held

ACTIVE_FOR_S = 300.0
"""An endpoint that asked this recently counts as having an active decision."""

FORGET_AFTER_S = 3600.0
MOST_ENDPOINTS = 200_000


@dataclass(frozen=True)
class Entry:
    """An endpoint's router, the routers it can use (None: any), and when it last asked."""

    held: Held
    candidates: tuple[str, ...] | None
    asked_at: float


class DecisionTable:
    """Entries by endpoint, the longest silent first; bounded in age and number."""

    def __init__(self) -> None:
        self._entries: OrderedDict[str, Entry] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, endpoint_id: str, now: float) -> Entry | None:
        """The endpoint's entry, unless it has been silent for too long."""
        self._forget(now)
        return self._entries.get(endpoint_id)

    def put(self, endpoint_id: str, entry: Entry) -> None:
        """Store the entry of an endpoint that asked just now."""
        self._entries[endpoint_id] = entry
        self._entries.move_to_end(endpoint_id)
        if len(self._entries) > MOST_ENDPOINTS:
            self._entries.popitem(last=False)

    def active(self, now: float) -> int:
        """How many endpoints have asked lately."""
        count = 0
        for entry in reversed(self._entries.values()):
            if now - entry.asked_at >= ACTIVE_FOR_S:
                break
            count += 1
        return count

    def _forget(self, now: float) -> None:
        while self._entries:
            endpoint_id, oldest = next(iter(self._entries.items()))
            if now - oldest.asked_at < FORGET_AFTER_S:
                return
            del self._entries[endpoint_id]
