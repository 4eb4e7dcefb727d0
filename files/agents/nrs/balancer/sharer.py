"""Shares what a load balancer knows with others, beside the requests.

Requests are answered from memory, whatever the store does. Where it cannot be reached each goes on
alone, and what it decides meanwhile is told when it is back.
"""

from __future__ import annotations

import itertools
import logging
import threading

from redis import RedisError

from nrs.balancer.decide.snapshot import KeptEndpoint
from nrs.balancer.decide.table import FORGET_AFTER_S
from nrs.balancer.keep.shared import SharedStore
from nrs.balancer.live import LiveBalancer

log = logging.getLogger(__name__)

INTERVAL_S = 1.0
_LONGEST_PAUSE_S = 5.0
_ROUND_S = 60.0
"""An endpoint that stays is told of this often, so that the others count it too."""
_AT_ONCE = 100
_STOP_S = 5.0
_NOT_YET = "not connected yet"


class Sharer:
    """Tells and hears about once a second. `error` says why the store is not reached."""

    def __init__(self, balancer: LiveBalancer, store: SharedStore, where: str) -> None:
        """`where` is what the log calls the store."""
        self.error: str | None = _NOT_YET
        self._balancer = balancer
        self._store = store
        self._where = where
        self._feed = balancer.feed(_ROUND_S)
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sharer", daemon=True)
        self._last = balancer.instant().now
        balancer.share(self)

    def start(self) -> None:
        """Share from now on."""
        self._thread.start()

    def stop(self) -> None:
        """End; what has not been told stays untold."""
        self._stopping.set()
        self._thread.join(_STOP_S)
        self._store.close()

    def _run(self) -> None:
        pause = INTERVAL_S
        while True:
            pause = INTERVAL_S if self.turn() else min(2 * pause, _LONGEST_PAUSE_S)
            if self._stopping.wait(pause):
                return

    def turn(self) -> bool:
        """Tell and hear once; whether it worked."""
        try:
            if self.error is not None:
                self._begin()
            self._hear()
            self._tell()
        except RedisError as error:
            if self.error in (None, _NOT_YET):
                log.error(
                    "%s is not reached, this load balancer goes on alone: %s", self._where, error
                )
            self.error = str(error) or type(error).__name__
            return False
        if self.error is not None:
            log.info("state is shared through %s", self._where)
        self.error = None
        return True

    def _begin(self) -> None:
        """Take over what the others know, and tell what they do not."""
        self._store.begin()
        for shared in self._store.reports():
            self._balancer.adopt_report(shared)
        oldest = self._balancer.instant().wall - FORGET_AFTER_S
        theirs: dict[str, tuple[str, float | None]] = {}
        for part in self._store.endpoints():
            gone = [name for name, kept in part.items() if kept.asked_at < oldest]
            self._store.forget(gone)
            for name in gone:
                del part[name]
            self._adopt(part)
            theirs.update((name, (kept.router_id, kept.since)) for name, kept in part.items())
        self._balancer.take(self._feed, None)
        for part in self._balancer.dump_endpoints(self._balancer.endpoint_ids()):
            news = {
                name: kept
                for name, kept in part.items()
                if theirs.get(name) != (kept.router_id, kept.since)
            }
            self._store.publish([], news)

    def _hear(self) -> None:
        for news in self._store.news():
            for shared in news.reports:
                self._balancer.adopt_report(shared)
            self._adopt(news.endpoints)

    def _adopt(self, endpoints: dict[str, KeptEndpoint]) -> None:
        rest = iter(endpoints.items())
        while part := list(itertools.islice(rest, _AT_ONCE)):
            self._balancer.adopt(part)

    def _tell(self) -> None:
        now = self._balancer.instant().now
        ids = self._balancer.take(self._feed, now - self._last)
        reports = self._balancer.take_reports()
        self._last = now
        try:
            self._store.publish(reports, {})
            for part in self._balancer.dump_endpoints(ids):
                self._store.publish([], part)
        except RedisError:
            self._balancer.give_back(self._feed, ids)
            raise
