"""Moves that have been handed out but are not in the metrics yet, for one router. Pure.

A report carries averages since the report before it, and a planned move takes its time: the
flows that exist stay where they are until they end. So a move at `m` shows in the reports of
`p`, `t` and later only in part:

    p -------- m -------- t ------------------ next
    |  nothing | more and more of it: e^(-s / FLOW_S) is missing after s seconds

A move after a failure brings everything at once.
"""

from __future__ import annotations

import math

FLOW_S = 10.0
"""For how long a flow is taken to go on in the mean, once its endpoint has moved."""

_MOST_EXPONENT = 50.0


class Pending:
    """What has come (positive) or gone (negative) unseen, in Mb/s; times as in `registry`.

    Sums stand for all moves, so that one costs the same however many there are.
    """

    __slots__ = (
        "_coming",
        "_delayed",
        "_fresh",
        "_gradual",
        "_grown",
        "_last",
        "_missing",
        "_span",
    )

    def __init__(self) -> None:
        self._last = -math.inf
        self._span = math.inf
        """Between the last two reports."""
        self._missing = 0.0
        """What the last report does not show of the moves before it."""
        self._coming = 0.0
        """What of those had yet to follow its endpoints at the last report."""
        self._forget_fresh()

    @property
    def mbps(self) -> float:
        """What the last report does not show."""
        return self._missing + self._fresh

    def move(self, mbps: float, when: float, *, gradual: bool) -> None:
        """Count a move of `mbps` at `when`, which may lie before the last report."""
        since = when - self._last
        if since < 0:
            self._move_before(mbps, -since, gradual=gradual)
            return
        self._fresh += mbps
        if since < math.inf:
            self._delayed += mbps * since
            if gradual:
                self._gradual += mbps
                self._grown += mbps * math.exp(min(since / FLOW_S, _MOST_EXPONENT))

    def reported(self, now: float) -> None:
        """A report has come in."""
        span = now - self._last
        if 0 < span < math.inf:
            left = math.exp(-min(span / FLOW_S, _MOST_EXPONENT))
            lingered = self._coming * (1 - left) + self._gradual - self._grown * left
            self._missing = (self._delayed + FLOW_S * lingered) / span
            self._coming = (self._coming + self._grown) * left
            self._span = span
        else:
            self._missing += self._fresh
        self._forget_fresh()
        self._last = now

    def _move_before(self, mbps: float, age: float, *, gradual: bool) -> None:
        """Count a move `age` seconds before the last report."""
        if self._span == math.inf:
            return
        seen_from = max(age - self._span, 0.0)
        late = max(self._span - age, 0.0)
        if gradual:
            left = math.exp(-age / FLOW_S)
            late += FLOW_S * (math.exp(-seen_from / FLOW_S) - left)
            self._coming += mbps * left
        self._missing += mbps * late / self._span

    def _forget_fresh(self) -> None:
        self._fresh = 0.0
        """Moves since the last report, and of those the gradual ones."""
        self._gradual = 0.0
        self._delayed = 0.0
        """Times how long after the last report they were made."""
        self._grown = 0.0
        """The gradual ones times e^(that / FLOW_S)."""
