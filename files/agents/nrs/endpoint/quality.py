"""Is a live tunnel good enough? Loss and delay over time, in windows of a second. Pure.

    GOOD      -- `bad_windows` in a row: another tunnel is better          -->  DEGRADED
    DEGRADED  -- `good_windows` in a row: no other one is better by much   -->  GOOD

Tunnels are held against each other, never against a fixed number: a satellite's delay is no
fault where nothing quicker is there. What is not known of a tunnel speaks neither for nor
against it. Between the two margins nothing changes. Loss is counted each way from what one
lane's sequence numbers say was sent and what has arrived.
"""

from __future__ import annotations

import operator
from collections.abc import Iterable
from dataclasses import astuple, dataclass


@dataclass(frozen=True)
class Margin:
    """How far two tunnels lie apart: share of 1 for loss, seconds for delay."""

    loss: float
    delay: float


@dataclass(frozen=True)
class Thresholds:
    """When windows end and what they are held against."""

    window: float = 1.0
    longest_window: float = 10.0
    """A window is this long at most while it has too few datagrams to tell the loss."""
    least_datagrams: int = 20
    leave: Margin = Margin(0.05, 0.300)
    back: Margin = Margin(0.01, 0.200)
    bad_windows: int = 3
    good_windows: int = 10
    known_for: float = 3.0
    """What a window has told is out of date after this."""


THRESHOLDS = Thresholds()


@dataclass(frozen=True)
class Measure:
    """What is known of a path: the worse direction's loss, the smoothed round trip in seconds."""

    loss: float | None = None
    delay: float | None = None

    def beats(self, other: Measure, by: Margin = THRESHOLDS.leave) -> bool:
        """Whether it is better than `other` in one thing by a margin, and worse in none.

        A path of which something is unknown beats nothing; what is unknown of `other` counts as
        the best that there is.
        """
        if self.loss is None or self.delay is None:
            return False
        less_loss = (other.loss or 0.0) - self.loss
        quicker = (other.delay or 0.0) - self.delay
        better = less_loss > by.loss or quicker > by.delay
        return better and less_loss >= -by.loss and quicker >= -by.delay


@dataclass(frozen=True)
class Counts:
    """What one lane each way has seen: highest sequence number and datagrams received."""

    up_highest: int
    up_received: int
    down_highest: int
    down_received: int

    def plus(self, other: Counts) -> Counts:
        """Each with the other's."""
        return Counts(*map(operator.add, astuple(self), astuple(other)))

    def minus(self, other: Counts) -> Counts:
        """Each without the other's."""
        return Counts(*map(operator.sub, astuple(self), astuple(other)))


class Quality:
    """The quality of one session's path; `begin` again with each session."""

    def __init__(self, thresholds: Thresholds = THRESHOLDS) -> None:
        self.degraded = False
        self.loss: float | None = None
        """The worse direction's share lost in the last window that could tell."""
        self._thresholds = thresholds
        self._from: tuple[Counts, float] | None = None
        self._told = 0.0
        """When the last window ended that could tell the loss of both directions."""
        self._both = False
        self._bad = self._good = 0

    def begin(self) -> None:
        """Sequence numbers begin anew."""
        self._from = None

    def measure(self, srtt: float | None, now: float) -> Measure:
        """What is known at `now`, with this round trip."""
        fresh = self._both and now - self._told <= self._thresholds.known_for
        return Measure(self.loss if fresh else None, srtt)

    def observe(self, counts: Counts, srtt: float, now: float, others: Iterable[Measure]) -> None:
        """An answered probe: what its PROBE_ACK and the own replay window say.

        `others` is what is known of the tunnels that this one is held against; it is only
        looked at where a window ends.
        """
        limits = self._thresholds
        if self._from is None:
            self._from = (counts, now)
            return
        before, since = self._from
        up = _lost(
            counts.up_highest - before.up_highest,
            counts.up_received - before.up_received,
            limits.least_datagrams,
        )
        down = _lost(
            counts.down_highest - before.down_highest,
            counts.down_received - before.down_received,
            limits.least_datagrams,
        )
        both = up is not None and down is not None
        if now - since < (limits.window if both else limits.longest_window):
            return
        self._from = (counts, now)
        told = [way for way in (up, down) if way is not None]
        if told:
            self.loss, self._both, self._told = max(told), both, now
        self._judge(Measure(max(told) if told else None, srtt), list(others))

    def _judge(self, window: Measure, others: list[Measure]) -> None:
        limits = self._thresholds
        if any(other.beats(window, limits.leave) for other in others):
            self._bad, self._good = self._bad + 1, 0
        elif window.loss is None:
            return
        elif any(other.beats(window, limits.back) for other in others):
            self._bad = self._good = 0
        else:
            self._bad, self._good = 0, self._good + 1
        if self._bad >= limits.bad_windows:
            self.degraded = True
        elif self._good >= limits.good_windows:
            self.degraded = False


def _lost(sent: int, received: int, least: int) -> float | None:
    """The share that was lost, or None where too few were sent to tell."""
    return max(0.0, 1.0 - received / sent) if sent >= least else None
