"""Has a router's routes added, removed and put back by a thread: the packet loop never waits."""

from __future__ import annotations

import errno
import logging
import os
import threading
import time
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from nrs.config.types import text_of
from nrs.system import route
from nrs.system.host_routes import HostRoutes, Refused
from nrs.system.placing import describe
from nrs.system.route import Prefix, network_of
from nrs.system.upkeep import Upkeep
from nrs.system.upkeep_words import Words

log = logging.getLogger(__name__)

_BATCH = 64
_FAILED_S = 1.0
_END_TIMEOUT_S = 4.0


@dataclass(frozen=True)
class _Change:
    prefix: Prefix
    wanted: bool
    request: bytes


@dataclass(frozen=True)
class _Look:
    """Whether all are in their places; `drop`: and no others."""

    drop: bool = False


class RouteKeeper:
    """What is asked of it is done in this order and at once; only `close` waits for it.

    The thread computes as little as can be, as the loop waits for the interpreter meanwhile. What
    the kernel refuses is logged.
    """

    def __init__(self, routes: HostRoutes, interface: str) -> None:
        """`routes` lead to `interface`, and are closed at the end."""
        self._routes = routes
        self._interface = interface
        self._queue: SimpleQueue[_Change | _Look | None] = SimpleQueue()
        """`None` is the end."""
        self._wanted: set[Prefix] = set()
        """By what the thread has come to so far."""
        self._upkeep: Upkeep[Prefix] = Upkeep()
        self._words: Words[Prefix] = Words(interface, _named)
        self._doubtful = False
        """Whether a route that was to be added was there already, and may be somebody else's."""
        self._again: float | None = None
        """When to look again, as the kernel could not be asked."""
        self._failure: str | None = None
        """What was told of that."""
        self._thread = threading.Thread(target=self._run, name="routes", daemon=True)
        self._thread.start()

    def add(self, prefixes: Collection[Prefix]) -> None:
        """Route these; those that are routed already stay so."""
        self._ask(prefixes, wanted=True)

    def remove(self, prefixes: Collection[Prefix]) -> None:
        """Route them no longer."""
        self._ask(prefixes, wanted=False)

    def _ask(self, prefixes: Collection[Prefix], *, wanted: bool) -> None:
        for prefix in prefixes:
            request = self._routes.request(prefix, wanted=wanted)
            self._queue.put(_Change(prefix, wanted, request))

    def drop_others(self) -> None:
        """Remove what a process before this one has left and is not wanted now."""
        self._queue.put(_Look(drop=True))

    def look(self) -> None:
        """Put back what somebody may have taken."""
        self._queue.put(_Look())

    def close(self) -> None:
        """Wait until all is done, but not for long where the kernel hangs."""
        self._queue.put(None)
        self._thread.join(_END_TIMEOUT_S)

    @property
    def put_back(self) -> int:
        """How many routes that somebody took were put back."""
        return self._upkeep.put_back

    @property
    def not_kept(self) -> int:
        """How many cannot be kept."""
        return len(self._upkeep.problems)

    @property
    def problems(self) -> list[tuple[str, float]]:
        """What cannot be kept, and since when (seconds since the epoch)."""
        return self._words.problem(self._upkeep.problems)

    # -- in the thread

    def _run(self) -> None:
        batch: list[_Change] = []
        asked: _Change | _Look | None = _Look()
        while asked is not None:
            asked = self._next()
            if isinstance(asked, _Change):
                batch.append(asked)
                if len(batch) < _BATCH and not self._queue.empty():
                    continue
            if batch:
                self._change(batch)
                batch = []
            if isinstance(asked, _Look) or (self._doubtful and self._queue.empty()):
                self._look(drop=isinstance(asked, _Look) and asked.drop)
        self._routes.close()

    def _next(self) -> _Change | _Look | None:
        """What is asked, or to look where it is time to try again."""
        at = self._upkeep.next_due() if self._again is None else self._again
        try:
            return self._queue.get(timeout=None if at is None else max(0.0, at - time.monotonic()))
        except Empty:
            return _Look()

    def _change(self, batch: Sequence[_Change]) -> None:
        for change in batch:
            (self._wanted.add if change.wanted else self._wanted.discard)(change.prefix)
        refused = self._carry_out([change.request for change in batch])
        if refused is None:
            return
        there = {one.prefix for one in refused if one.wanted and one.errno == errno.EEXIST}
        self._doubtful |= bool(there)
        self._tell(one for one in refused if one.prefix not in there)
        failed = {one.prefix for one in refused if one.wanted}
        added = [change.prefix for change in batch if change.wanted]
        self._upkeep.placed((one for one in added if one not in failed), time.monotonic())

    def _look(self, *, drop: bool) -> None:
        self._doubtful = False
        try:
            present = self._routes.present()
        except OSError as error:
            self._failed(f"cannot list the routes to {self._interface}: {error}")
            return
        self._again = self._failure = None
        others = present - self._wanted if drop else set()
        self._tell(self._in_batches(others, wanted=False))
        now = time.monotonic()
        missing = self._upkeep.missing(self._wanted, present, now)
        self._words.missing(missing)
        refused = {one.prefix: one for one in self._in_batches(missing.due, wanted=True)}
        self._tell(refused[prefix] for prefix in self._upkeep.refused(refused, now))
        self._upkeep.placed((one for one in missing.due if one not in refused), now)
        self._words.settled(self._upkeep.settled(now))

    def _in_batches(self, prefixes: Collection[Prefix], *, wanted: bool) -> list[Refused]:
        requests = [self._routes.request(prefix, wanted=wanted) for prefix in prefixes]
        refused: list[Refused] = []
        for start in range(0, len(requests), _BATCH):
            refused += self._carry_out(requests[start : start + _BATCH]) or []
        return refused

    def _carry_out(self, requests: Sequence[bytes]) -> list[Refused] | None:
        """What the kernel refuses; None where it could not be asked."""
        try:
            return self._routes.carry_out(requests)
        except OSError as error:
            self._failed(f"cannot change the routes to {self._interface}: {error}")
            return None

    def _failed(self, text: str) -> None:
        if text != self._failure:
            log.error("%s", text)
        self._failure = text
        self._again = time.monotonic() + _FAILED_S

    def _tell(self, refused: Iterable[Refused]) -> None:
        for prefix, wanted, code in refused:
            log.error(
                "cannot %s the route of %s to %s: %s",
                "add" if wanted else "remove",
                text_of(network_of(prefix)),
                self._interface,
                os.strerror(code),
            )


def _named(prefixes: Collection[Prefix]) -> str:
    return describe([route.encode(prefix, 0, route.ROUTER) for prefix in prefixes])
