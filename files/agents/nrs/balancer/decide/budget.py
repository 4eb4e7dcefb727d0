"""How many endpoints may be moved for a better score alone, and who goes first. Pure.

Moves away from a router that cannot be used any more are neither limited nor counted.

Where more endpoints want to move than may, those go first whose move evens the load most and who
have not been moved for long: a cycle begins with who is as urgent as the most urgent one of the
cycle before, and asks for less and less until its end.
"""

from __future__ import annotations

import math

SHARE = 0.02

_SETTLED_S = 300.0
_ROUNDING = 1e-9


def urgency(gain: float, weight: float, held_s: float) -> float:
    """How much an endpoint that was last moved `held_s` ago deserves to move.

    `gain` is by how much its new router would still be better with it, `weight` its own part in
    that score: the lesser of the two is half of what the move takes off their difference.
    """
    return min(gain, weight) * -math.expm1(-held_s / _SETTLED_S)


class MoveBudget:
    """At most `max(1, 2 %)` of the endpoints in each cycle of `cycle` seconds.

    What 2 % has beyond a whole number is carried to the next cycle; what is not used is not.
    """

    def __init__(self, cycle: float) -> None:
        self.cycle = cycle
        self._begun = -math.inf
        self._left = 0
        self._fraction = 0.0
        self._most_urgent = self._most_urgent_before = 0.0

    def take(self, urgent: float, endpoints: int, now: float) -> bool:
        """Take a move for one of `endpoints` that is `urgent`; whether there was one left."""
        if now - self._begun >= self.cycle:
            self._begin(endpoints, now)
        self._most_urgent = max(self._most_urgent, urgent)
        if self._left <= 0:
            return False
        left = 1.0 - (now - self._begun) / self.cycle
        if urgent < left * self._most_urgent_before:
            return False
        self._left -= 1
        return True

    def _begin(self, endpoints: int, now: float) -> None:
        """Begin the cycle of `now`, the next one or after a pause."""
        passed = now - self._begun
        follows = passed < 2 * self.cycle
        self._begun = self._begun + self.cycle if follows else now
        self._most_urgent_before = self._most_urgent if follows else 0.0
        self._most_urgent = 0.0
        allowed = max(1.0, SHARE * endpoints) + self._fraction
        self._left = int(allowed + _ROUNDING)
        self._fraction = max(allowed - self._left, 0.0)
