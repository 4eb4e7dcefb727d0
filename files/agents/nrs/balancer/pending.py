"""Moves that have been handed out but are not in the metrics yet, for one router. Pure.

A report carries averages since the report before it. A move at `m` between reports that came
in at `p` and `t` is therefore in the later one only for the part (t - m) / (t - p); the rest
is missing there, and the whole of it is in the next one:

        p ---------- m ------- t ------------------- next
        |   not in   |   in    |      all of it in
"""

from __future__ import annotations


class Pending:
    """What has come (positive) or gone (negative) unseen, in Mb/s; times as in `registry`."""

    __slots__ = ("_carried", "_fresh", "_fresh_moment", "_last", "_previous")

    def __init__(self) -> None:
        self._carried = 0.0
        self._fresh = 0.0
        self._fresh_moment = 0.0
        self._previous = self._last = float("-inf")

    @property
    def mbps(self) -> float:
        """What the last report does not show."""
        return self._carried + self._fresh

    def move(self, mbps: float, when: float) -> None:
        """Count a move of `mbps` at `when`, which may lie before the last report."""
        if when > self._last:
            self._fresh += mbps
            self._fresh_moment += mbps * when
        elif self._previous < when:
            span = self._last - self._previous
            self._carried += mbps * (when - self._previous) / span

    def reported(self, now: float) -> None:
        """A report has come in."""
        span = now - self._last
        if 0 < span < float("inf"):
            # Sum of mbps x (when - last) / span: linear, so that two sums stand for all moves.
            self._carried = (self._fresh_moment - self._fresh * self._last) / span
        else:
            self._carried = self._fresh
        self._fresh = self._fresh_moment = 0.0
        self._previous, self._last = self._last, now

    def restore(self, mbps: float, now: float) -> None:
        """Begin with what was unseen before, as of now."""
        self.move(mbps, now)
