"""Do datagrams that are sent, or received, together arrive as well as single ones? Pure.

Kernels and cards cut trains (UDP_SEGMENT) and join what arrives (UDP_GRO), and some lose or damage
all but the first datagram of one without an error. A trial sends three groups of the same size each
way and looks at what arrives:

    APART   one by one, each longer than the one before, so that nothing joins them
    ROW     one by one, equally long, so that the receiver may join them
    TRAIN   in one send, for whoever cuts trains

    APART passes and ROW does not             what the receiver joins is damaged: it should not join
    APART and ROW pass and TRAIN does not     what the sender has cut is damaged: no trains

A trial comes once at first, and when datagrams are lost; three in a row have to say the same, as
datagrams are lost by chance too. What was turned off is tried again later, ever more seldom: with
trains in a trial alone, but to join again the socket has to be told. Until trials have shown that
it is well it counts as turned off.

Where most is lost at once (`loss_signs.py`), or one trial has lost a train, there is a suspicion:
single datagrams go until a trial has not. The sooner trains end the less a sender inside takes the
damage for a narrow path. A wrong suspicion lasts for one trial, with ever longer pauses between.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from nrs.endpoint.quality import Counts
from nrs.endpoint.train_way import COUNT, Way
from nrs.tunnel.wire import Group

LENGTH = 700
"""Bytes of each datagram of a group; one of APART has as many more as it has before it."""
_PAUSE_S, _SHORT_PAUSE_S = 2.0, 0.3
"""Between a trial that has found nothing and the next one. Where the loss is heavy: none at first,
then the second, and twice as long each time, up to the first, until there was calm."""
_RETRY_S, _LONGEST_RETRY_S = 60.0, 3600.0
_LEAST_PATIENCE_S = 0.020
_SLACK_S = 0.020
_HELD_UP_S = 0.020
_TRIALS = 1 << 16
_LONG_AGO = -1e9


@dataclass
class _Trial:
    number: int
    sent: float
    again: bool
    up: dict[Group, set[int]] = field(default_factory=lambda: {group: set() for group in Group})
    down: dict[Group, set[int]] = field(default_factory=lambda: {group: set() for group in Group})
    not_before: float = _LONG_AGO

    def ends(self, patience: float) -> float:
        arrived = sum(len(members) for way in (self.up, self.down) for members in way.values())
        if arrived == 2 * len(Group) * COUNT:
            return _LONG_AGO
        return max(self.sent + max(patience, _LEAST_PATIENCE_S) + _SLACK_S, self.not_before)


class Trains:
    """Those of one tunnel. `due` says when to make a trial, the other methods what happened."""

    def __init__(self) -> None:
        self._number = 0
        self.restart()

    def restart(self) -> None:
        """It is another path, and another socket: everything is allowed again."""
        self.up = Way()
        self.down = Way()
        self._trial: _Trial | None = None
        self._tested = False
        self._pause = 0.0
        """From the last trial to one for heavy loss."""
        self._ended = self._not_before = _LONG_AGO
        self._retry = math.inf
        self._retries = 0

    @property
    def undecided(self) -> bool:
        """Whether no trial on this path has said anything yet."""
        return not self._tested

    @property
    def under_way(self) -> bool:
        """Whether a trial is."""
        return self._trial is not None

    @property
    def _ways(self) -> tuple[Way, Way]:
        return self.up, self.down

    @property
    def _heavy(self) -> bool:
        return any(way.loss.heavy for way in self._ways)

    @property
    def trial(self) -> int:
        """The number of the trial that is to be sent now."""
        return self._number

    def interrupt(self) -> None:
        """The path does not answer at all."""
        self._trial = None
        self.down.tried = False
        for way in self._ways:
            way.end_trial()

    # -- what to do

    def due(self, now: float, patience: float, *, busy: bool) -> bool:
        """Whether to send a trial's groups at `now`."""
        trial = self._trial
        if trial is not None:
            end = trial.ends(patience)
            if now < end:
                return False
            if end > _LONG_AGO and now - end > _HELD_UP_S and trial.not_before < end:
                trial.not_before = now + _SLACK_S / 2  # answers may wait to be read
                return False
            self._end(trial, now)
        if now < self._next(busy=busy):
            return False
        again = now >= self._retry or bool(self.up.good or self.down.good)
        self.down.tried = again and not self.down.joined
        if now - self._ended > 2 * _PAUSE_S:
            self._pause = 0.0
        if self._heavy:
            self._pause = min(2 * self._pause or _SHORT_PAUSE_S, _PAUSE_S)
        for way in self._ways:
            way.suspected |= way.loss.heavy
        self._number = (self._number + 1) % _TRIALS
        self._trial = _Trial(self._number, now, again)
        return True

    def next_due(self, patience: float, *, busy: bool) -> float:
        """When `due` has to be called next."""
        return self._next(busy=busy) if self._trial is None else self._trial.ends(patience)

    def _next(self, *, busy: bool) -> float:
        if not self._tested or self.up.in_question or self.down.in_question:
            return self._not_before
        if not busy:
            return math.inf
        wanted = math.inf
        if self._heavy:
            wanted = self._ended + self._pause
        elif any(way.loss.some for way in self._ways):
            wanted = self._ended + _PAUSE_S
        return max(min(wanted, self._retry), self._not_before)

    # -- what happened

    def answered(self, number: int, group: Group, index: int) -> None:
        """The router has got this member of a group."""
        if self._trial is not None and self._trial.number == number and index < COUNT:
            self._trial.up[group].add(index)

    def arrived(self, number: int, group: Group, index: int) -> None:
        """This member of a router's group is here."""
        if self._trial is not None and self._trial.number == number and index < COUNT:
            self._trial.down[group].add(index)

    def observe(self, counts: Counts, now: float) -> None:
        """An answered PROBE: what has been sent and received by now."""
        self.up.loss.observe(counts.up_highest, counts.up_received, now)
        self.down.loss.observe(counts.down_highest, counts.down_received, now)

    def _end(self, trial: _Trial, now: float) -> None:
        self._trial = None
        if not any(trial.up.values()) and not any(trial.down.values()):
            self._not_before = now + _PAUSE_S  # it says nothing, as nothing has come back
            self.interrupt()
            return
        before = self._off
        self.up.learn(trial.up, own=False, again=trial.again)
        self.down.learn(trial.down, own=True, again=trial.again)
        self.interrupt()
        self._tested, self._ended = True, now
        if not self._off:
            self._retry = math.inf
        elif self._off != before or self._retry <= trial.sent:
            pause = min(_RETRY_S * 2**self._retries, _LONGEST_RETRY_S)
            self._retries += 1
            self._retry = now + pause

    @property
    def _off(self) -> tuple[str, ...]:
        return tuple(self.lost())

    def lost(self) -> Iterator[str]:
        """What was turned off, for people."""
        if not self.up.together:
            yield "trains that are sent to it"
        if not self.up.joined:
            yield "what it joins"
        if not self.down.together:
            yield "trains that it sends"
        if not self.down.joined:
            yield "what this host joins"
