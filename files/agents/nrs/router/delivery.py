"""How much of what a session has brought is known to have got through to the business server.

An echo that the business server answers proves that the way there worked when the echo left, and
it stands for what left before it. What falls into an outage too short to be noticed is lost, as on
any path. Pure.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

_MOST_MARKS = 16
"""Echoes on their way at once that are told apart; with more, more is confirmed late."""


@dataclass(frozen=True, slots=True)
class Echoes:
    """The echoes to the business server, numbered from 1."""

    asked: int = 0
    """The last that was sent."""
    answered: int = 0
    """The last that was answered."""


class Delivery:
    """What one session has brought, as of the times when its endpoint asked."""

    __slots__ = ("_confirmed", "_marks")

    def __init__(self) -> None:
        # echo that confirms it, highest number received before that echo left
        self._marks: deque[tuple[int, int]] = deque(maxlen=_MOST_MARKS)
        self._confirmed = 0

    def confirmed(self, highest: int, echoes: Echoes) -> int:
        """The number up to which datagrams have got through; `highest` is what is received now."""
        by = echoes.asked + 1
        marks = self._marks
        if marks and marks[-1][0] == by:
            marks.pop()
        marks.append((by, highest))
        while marks and marks[0][0] <= echoes.answered:
            self._confirmed = marks.popleft()[1]
        return self._confirmed
