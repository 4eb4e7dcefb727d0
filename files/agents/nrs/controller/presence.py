"""When each device was last heard of and what it said, in memory.

Statuses arrive every few seconds from every device; they are kept here and
written to the database in batches, so that a post costs no disk access.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass

from nrs.api.messages import DeviceStatus


@dataclass(frozen=True)
class Seen:
    """Last contact in seconds since the epoch; the last status, if there was one."""

    at: float
    status: DeviceStatus | None = None


class Presence:
    """The latest contact with every registered device. Safe to use from any thread."""

    def __init__(self, restored: Mapping[str, Seen]) -> None:
        self._lock = threading.Lock()
        self._seen = dict(restored)
        self._changed: set[str] = set()

    def __contains__(self, device_id: str) -> bool:
        return device_id in self._seen

    def get(self, device_id: str) -> Seen | None:
        """The latest contact, None for a device never heard of."""
        return self._seen.get(device_id)

    def registered(self, device_id: str, now: float) -> None:
        """The device has registered; what it last said still stands."""
        with self._lock:
            before = self._seen.get(device_id)
            self._put(device_id, Seen(now, before.status if before else None))

    def reported(self, status: DeviceStatus, now: float) -> bool:
        """The device has posted its status; False, and nothing, where it is not registered."""
        with self._lock:
            if status.device_id not in self._seen:
                return False
            self._put(status.device_id, Seen(now, status))
            return True

    def forget(self, device_id: str) -> None:
        """The device is registered no longer."""
        with self._lock:
            self._seen.pop(device_id, None)
            self._changed.discard(device_id)

    def take_changes(self) -> dict[str, Seen]:
        """The contacts since the last call, for the caller to store."""
        with self._lock:
            changed, self._changed = self._changed, set()
            return {device_id: self._seen[device_id] for device_id in changed}

    def put_back(self, changes: Mapping[str, Seen]) -> None:
        """`changes` could not be stored; they come again with the next `take_changes`."""
        with self._lock:
            self._changed.update(changes.keys() & self._seen.keys())

    def _put(self, device_id: str, seen: Seen) -> None:
        self._seen[device_id] = seen
        self._changed.add(device_id)
