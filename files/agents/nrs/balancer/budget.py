"""How many endpoints may be moved for a better score alone. Pure.

Moves away from a router that cannot be used any more are neither limited nor counted.
"""

from __future__ import annotations

SHARE = 0.02


class MoveBudget:
    """At most `max(1, 2 %)` of the endpoints in each cycle of `cycle` seconds."""

    def __init__(self, cycle: float) -> None:
        self.cycle = cycle
        self._begun = float("-inf")
        self._used = 0

    def allows(self, endpoints: int, now: float) -> bool:
        """Whether one more of `endpoints` may be moved."""
        if now - self._begun >= self.cycle:
            self._begun, self._used = now, 0
        return self._used < max(1, int(SHARE * endpoints))

    def spend(self) -> None:
        """Count a move that `allows` has let through."""
        self._used += 1
