"""Writes what a load balancer knows to its store, beside the requests."""

from __future__ import annotations

import logging
import sqlite3
import threading
from contextlib import suppress
from pathlib import Path

from nrs.balancer.decide.snapshot import SnapshotDamaged
from nrs.balancer.decide.table import FORGET_AFTER_S
from nrs.balancer.keep.store import FILE_NAME, Store, StoreDamaged
from nrs.balancer.live import LiveBalancer

log = logging.getLogger(__name__)

_ROUND_S = 600.0
"""An endpoint that stays is written this often: well within the time that it is remembered for."""
_STOP_S = 10.0


class Keeper:
    """Loads what was kept, then keeps it every `interval` seconds and at the end."""

    def __init__(self, balancer: LiveBalancer, directory: Path, interval: float) -> None:
        """Raises StoreDamaged where nothing can be stored at all."""
        self.interval = interval
        self._balancer = balancer
        self._store = _opened(directory / FILE_NAME, balancer)
        self._feed = balancer.feed(_ROUND_S)
        self._last = balancer.instant().now
        self._forget_at = self._last + _ROUND_S
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="keeper", daemon=True)

    def start(self) -> None:
        """Keep from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Keep everything, and end."""
        self._stopping.set()
        self._thread.join(_STOP_S)
        self._write(None)
        self._store.close()

    def _run(self) -> None:
        while not self._stopping.wait(self.interval):
            now = self._balancer.instant().now
            self._write(now - self._last)
            self._last = now

    def _write(self, seconds: float | None) -> None:
        """Write what is due after `seconds`, or everything."""
        balancer = self._balancer
        ids = balancer.take(self._feed, seconds)
        try:
            self._store.write(balancer.dump_routers(), balancer.dump_endpoints(ids))
            at = balancer.instant()
            if at.now >= self._forget_at:
                self._store.forget(at.wall - FORGET_AFTER_S)
                self._forget_at = at.now + _ROUND_S
        except sqlite3.Error as error:
            balancer.give_back(self._feed, ids)
            if balancer.unstored is None:
                log.error("decisions are not stored, a restart will lose some: %s", error)
            balancer.unstored = f"decisions are not stored: {error}"
            return
        if balancer.unstored is not None:
            log.info("decisions are stored again")
        balancer.unstored = None


def _opened(path: Path, balancer: LiveBalancer) -> Store:
    """The store, after `balancer` has begun with what is in it; a damaged one is put aside."""
    try:
        return _loaded(Store(path), balancer)
    except (StoreDamaged, SnapshotDamaged) as damage:
        log.error("decisions that were stored are lost: %s", damage)
    for suffix in ("", "-wal", "-shm"):
        with suppress(OSError):
            part = path.with_name(path.name + suffix)
            part.replace(path.with_name(f"{path.name}{suffix}.damaged"))
    return Store(path)


def _loaded(store: Store, balancer: LiveBalancer) -> Store:
    try:
        data = store.read(balancer.instant().wall - FORGET_AFTER_S)
        if data is not None:
            balancer.load(data)
    except BaseException:
        store.close()
        raise
    return store
