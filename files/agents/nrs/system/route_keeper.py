"""Has a router's routes added and removed by a thread: the packet loop never waits."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Collection, Sequence
from queue import SimpleQueue

from nrs.config.types import text_of
from nrs.system.host_routes import HostRoutes
from nrs.system.route import Prefix, network_of

log = logging.getLogger(__name__)

_BATCH = 64
_END_TIMEOUT_S = 4.0


class RouteKeeper:
    """What is asked of it is done in this order and at once; only `close` waits for it.

    The thread computes as little as can be, as the loop waits for the interpreter meanwhile. What
    the kernel refuses is logged.
    """

    def __init__(self, routes: HostRoutes, interface: str) -> None:
        """`routes` lead to `interface`, and are closed at the end."""
        self._routes = routes
        self._interface = interface
        self._wanted: set[Prefix] = set()
        self._queue: SimpleQueue[bytes | frozenset[Prefix] | None] = SimpleQueue()
        """Requests, those that stay where others go, and the end."""
        self._thread = threading.Thread(target=self._run, name="routes", daemon=True)
        self._thread.start()

    def add(self, prefixes: Collection[Prefix]) -> None:
        """Route these; those that are routed already stay so."""
        self._wanted.update(prefixes)
        for prefix in prefixes:
            self._queue.put(self._routes.request(prefix, wanted=True))

    def remove(self, prefixes: Collection[Prefix]) -> None:
        """Route them no longer."""
        self._wanted.difference_update(prefixes)
        for prefix in prefixes:
            self._queue.put(self._routes.request(prefix, wanted=False))

    def drop_others(self) -> None:
        """Remove what a process before this one has left and is not wanted now."""
        self._queue.put(frozenset(self._wanted))

    def close(self) -> None:
        """Wait until all is done, but not for long where the kernel hangs."""
        self._queue.put(None)
        self._thread.join(_END_TIMEOUT_S)

    # -- in the thread

    def _run(self) -> None:
        batch: list[bytes] = []
        asked: bytes | frozenset[Prefix] | None = b""
        while asked is not None:
            asked = self._queue.get()
            if isinstance(asked, bytes):
                batch.append(asked)
                if len(batch) < _BATCH and not self._queue.empty():
                    continue
            if batch:
                self._carry_out(batch)
                batch = []
            if isinstance(asked, frozenset):
                self._drop_all_but(asked)
        self._routes.close()

    def _drop_all_but(self, wanted: frozenset[Prefix]) -> None:
        try:
            others = list(self._routes.present() - wanted)
        except OSError as error:
            log.error("cannot list the routes to %s: %s", self._interface, error)
            return
        requests = [self._routes.request(prefix, wanted=False) for prefix in others]
        for start in range(0, len(requests), _BATCH):
            self._carry_out(requests[start : start + _BATCH])

    def _carry_out(self, requests: Sequence[bytes]) -> None:
        try:
            refused = self._routes.carry_out(requests)
        except OSError as error:
            log.error("cannot change the routes to %s: %s", self._interface, error)
            return
        for prefix, wanted, code in refused:
            log.error(
                "cannot %s the route of %s to %s: %s",
                "add" if wanted else "remove",
                text_of(network_of(prefix)),
                self._interface,
                os.strerror(code),
            )
