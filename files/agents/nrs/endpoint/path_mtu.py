"""How long the packets may be that one tunnel's path carries, both ways (RFC 8899). Pure.

    BASE      nothing is known yet: what IPv6 carries everywhere is sent
    SEARCH    it gets through, and larger sizes are tried
    COMPLETE  the size is known; while traffic flows it is confirmed, and one byte more is tried
    ERROR     small packets get through, and the base does not: what every host takes is sent

    BASE                -- the base or more is answered -->                     SEARCH
    BASE                -- the base is lost three times, or all is -->          ERROR
    SEARCH              -- nothing is left between answered and lost -->        COMPLETE
    COMPLETE, ERROR     -- something longer is answered -->                     SEARCH
    COMPLETE            -- the size is lost, something shorter is answered -->  SEARCH, BASE

Sizes are those of whole IP packets, in bytes. A probe is as long as the size that it tries, may not
be cut on the way, and is answered by one as long, so what is answered gets through both ways, and
is used at once. Probes go out in rounds, shortest first, the last of a size that is known to pass:
its answer ends the round, and what is not answered by then counts as lost. A probe may be lost by
chance. So all that were lost in a range speak together, and the end of a search needs three.
What the host itself refuses is lost for certain. A round without an answer proves nothing: whether
the path is alive is the business of `Liveness`.
"""

from __future__ import annotations

import math
from bisect import insort
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from typing import NamedTuple

LEAST, BASE, MOST = 576, 1280, 9000
_RUNGS = (1280, 1340, 1400, 1420, 1440, 1450, 1460, 1472, 1480, 1492, 1500, 1501)
_LONG_RUNGS = (2000, 4000, 6000, 8000, 9000)
"""Sizes to try at first: those of common links and of tunnels within them."""
_ABREAST = 16
"""Sizes tried in one round after the first."""
_PROOFS = 3
_NEAR = 16
"""Losses of sizes that are no further above than this prove together that the next one is lost."""
_CONFIRM_S = 0.25
"""Between rounds of a path that is known, while traffic flows; in every other one more is tried."""
_RETRY_S = 1.0
"""Between rounds in ERROR, while traffic flows."""
_SETTLING_S = 1.0
"""For this long after the size has fallen, what is on its way is not refused."""
_LEAST_PATIENCE_S = 0.020
_SLACK_S = 0.010
"""For answers that were overtaken by the last one's."""
_HELD_UP_S = 0.020
"""An endpoint that comes back later than this was held up itself: answers may wait to be read."""
_MOST_SILENT = 3
_NUMBERS = 1 << 32
_LONG_AGO = -1e9


class State(Enum):
    """See the module's picture."""

    BASE = "base"
    SEARCH = "search"
    COMPLETE = "complete"
    ERROR = "error"


class SizeProbe(NamedTuple):
    """A probe to be sent."""

    number: int
    size: int


@dataclass
class _Round:
    """Probes that went out together; `last` is the one whose answer ends the round."""

    sent: float
    last: int
    doubting: bool
    waiting: dict[int, int] = field(default_factory=dict)
    """The sizes of those that are not answered, by number."""
    heard: bool = False
    best: int = 0
    """The longest that was answered."""
    last_answered: float | None = None
    last_refused: bool = False
    not_before: float = _LONG_AGO

    def ends(self, patience: float) -> float:
        if not self.waiting:
            return _LONG_AGO
        answered = self.last_answered
        end = self.sent + patience if answered is None else answered + _SLACK_S
        return max(end, self.not_before)


class PathMtu:
    """One tunnel's path. `due` says what to send, the other methods what happened."""

    def __init__(self) -> None:
        self._number = 0
        self.restart()

    def restart(self) -> None:
        """It is another path: begin anew."""
        self.state = State.BASE
        self.size = BASE
        """In use: the longest that is answered, or what the state says."""
        self._lost: list[int] = []
        """Sizes above the one in use that were lost, in order; more than once where they were."""
        self._fresh = True
        self._round: _Round | None = None
        self._late: dict[int, int] = {}
        """Of the round before, by number: an answer may still come."""
        self._next = self._settles = _LONG_AGO
        self._rounds = self._silent = 0

    def settled(self, now: float) -> bool:
        """Whether what is longer may be refused, as the search is over."""
        return self.state in {State.COMPLETE, State.ERROR} and now >= self._settles

    def unsettle(self, now: float) -> None:
        """What is on its way to another path comes along now: refuse nothing for a moment."""
        self._settles = max(self._settles, now + _SETTLING_S)

    def interrupt(self) -> None:
        """The path does not answer at all: probe again when it does."""
        if self.state is State.ERROR:
            self.restart()
        self._round = None
        self._next = _LONG_AGO

    # -- what to do

    def due(self, now: float, patience: float, *, busy: bool) -> list[SizeProbe]:
        """What to send at `now`; `patience` is when an answer is overdue, in seconds."""
        patience = max(patience, _LEAST_PATIENCE_S)
        if self._round is not None:
            end = self._round.ends(patience)
            if now < end:
                return []
            if now - end > _HELD_UP_S and self._round.waiting and self._round.not_before < end:
                self._round.not_before = now + _SLACK_S
                return []
            if probes := self._end(self._round, now, patience):
                return probes
        if now < self._next or not (busy or self._searching):
            return []
        return self._begin(now)

    def next_due(self, now: float, patience: float, *, busy: bool) -> float:
        """When `due` has to be called next, in seconds of the same clock."""
        times = [self._settles] if now < self._settles else []
        if self._round is not None:
            times.append(self._round.ends(max(patience, _LEAST_PATIENCE_S)))
        elif busy or self._searching:
            times.append(self._next)
        return min(times, default=math.inf)

    @property
    def _searching(self) -> bool:
        return self.state in {State.BASE, State.SEARCH}

    def _begin(self, now: float) -> list[SizeProbe]:
        if self.state is State.SEARCH:
            return self._send([*self._candidates(), self.size], now)
        if self.state is State.BASE:
            sizes = (*_RUNGS, *_LONG_RUNGS) if self._fresh else (BASE, BASE)
            self._fresh = False
            return self._send([*sizes, LEAST], now)
        self._next = now + (_CONFIRM_S if self.state is State.COMPLETE else _RETRY_S)
        self._rounds += 1
        if self.state is State.ERROR:
            return self._send([BASE, BASE, LEAST], now)
        more = self._rounds % 2 and self.size < MOST
        return self._send([self.size + 1, self.size] if more else [self.size], now)

    def _candidates(self) -> Iterable[int]:
        if self._fresh:
            self._fresh = False
            return [size for size in (*_RUNGS, *_LONG_RUNGS) if size > self.size]
        lost = self._lost
        top = lost[0] if lost else MOST + 1
        between = top - self.size - 1
        count = min(between, _ABREAST)
        sizes = [self.size + -(-(n + 1) * (between + 1) // (count + 1)) for n in range(count)]
        if not between:
            return range(top, min(top + _PROOFS, MOST + 1))
        if lost.count(top) < _PROOFS:  # it may have been lost by chance, and the next one
            sizes += sorted(set(lost))[:2]
        return sizes

    def _send(self, sizes: list[int], now: float, *, doubting: bool = False) -> list[SizeProbe]:
        probes = []
        for size in sizes:
            self._number = (self._number + 1) % _NUMBERS
            probes.append(SizeProbe(self._number, size))
        self._round = _Round(now, self._number, doubting, dict(probes))
        return probes

    # -- what happened

    def answered(self, number: int, size: int, now: float) -> None:
        """An answer, which states the size that has arrived; answers may come late."""
        present = self._round
        if present is not None and present.waiting.get(number) == size:
            del present.waiting[number]
            present.heard = True
            present.best = max(present.best, size)
            if number == present.last:
                present.last_answered = now
        elif self._late.get(number) == size:
            del self._late[number]
        else:
            return
        self._silent = 0
        if size > self.size or (size == BASE and self.state is State.BASE):
            self._grow(size)

    def refused(self, number: int) -> None:
        """The host has not sent this probe, as it is too long for its own interface."""
        present = self._round
        size = None if present is None else present.waiting.pop(number, None)
        if size is None or present is None:
            return
        if number == present.last:
            present.last_answered, present.last_refused = present.sent, True
        for _ in range(_PROOFS):
            insort(self._lost, size)

    def _grow(self, size: int) -> None:
        if self.state in {State.COMPLETE, State.ERROR}:
            self._fresh, self._lost = True, []
        if size >= BASE:
            self.size = size
            if self.state is not State.SEARCH:
                self.state = State.SEARCH
                self._next = _LONG_AGO
        self._lost = [lost for lost in self._lost if lost > self.size]

    # -- the end of a round

    def _end(self, ended: _Round, now: float, patience: float) -> list[SizeProbe]:
        """Learn from it; the probes of the next one where that cannot wait."""
        self._round, self._late = None, dict(ended.waiting)
        if not ended.heard and ended.waiting:
            return self._end_silent(ended, now, patience)
        if ended.doubting:
            self._end_doubt(ended, now)
        elif self.state is State.COMPLETE:
            if ended.last in ended.waiting or ended.last_refused:
                return self._doubt(now)
        elif self._searching:
            for size in ended.waiting.values():
                if size > self.size or size == BASE:
                    insort(self._lost, size)
            self._conclude()
        return []

    def _end_silent(self, ended: _Round, now: float, patience: float) -> list[SizeProbe]:
        if self.state in {State.SEARCH, State.COMPLETE} and not ended.doubting:
            return self._doubt(now)
        self._silent += 1
        if self._silent >= _MOST_SILENT:
            self._fail()
        self._next = max(self._next, now + patience * (1 << self._silent))
        return []

    def _conclude(self) -> None:
        lost = self._lost
        if self.state is State.BASE:
            if lost.count(BASE) >= _PROOFS:
                self._fail()
            return
        near = [size for size in lost if size <= self.size + _NEAR]
        if self.size == MOST or (near and near[0] == self.size + 1 and len(near) >= _PROOFS):
            self.state = State.COMPLETE
            self._next, self._rounds = _LONG_AGO, 0

    def _fail(self) -> None:
        self.state, self.size = State.ERROR, LEAST
        self._silent = 0

    def _doubt(self, now: float) -> list[SizeProbe]:
        """The size in use was lost, perhaps by chance: is it, and what else gets through?"""
        self._lost = []
        shorter = [size for size in (*_RUNGS, *_LONG_RUNGS) if size < self.size]
        return self._send([*shorter, *[self.size] * _PROOFS, LEAST], now, doubting=True)

    def _end_doubt(self, ended: _Round, now: float) -> None:
        if ended.best >= self.size:
            self._fresh = self.state is State.SEARCH
            return
        # A black hole (RFC 8899 section 4.3).
        self._late = {}
        lost = [*self._lost, *ended.waiting.values()]
        self._lost = sorted(size for size in lost if size > ended.best)
        self.state = State.SEARCH if ended.best >= BASE else State.BASE
        self.size = max(ended.best, BASE)
        self._fresh = False
        self._next = _LONG_AGO
        self.unsettle(now)
