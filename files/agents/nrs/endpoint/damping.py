"""How long a tunnel that has failed is not returned to. Pure.

As route flap damping (RFC 2439) does: each failure adds a penalty that decays with time,
and the hold-down doubles with each whole unit of it. So a router that fails once in a
while is used again soon, and one that flaps is left alone for minutes.
"""

from __future__ import annotations

import math

FIRST_S = 10.0
MOST_S = 300.0
HALF_LIFE_S = 120.0
_MOST_PENALTY = 10.0


class Damping:
    """The penalty of one tunnel; `now` in seconds of any steady clock."""

    def __init__(self) -> None:
        self._penalty = 0.0
        self._at = 0.0

    def failed(self, now: float) -> None:
        """The tunnel has failed once more."""
        self._penalty = min(self._decayed(now) + 1.0, _MOST_PENALTY)
        self._at = now

    def hold_s(self, now: float) -> float:
        """For how long it has to be well before it is as good as others; 0 if it never failed."""
        penalty = self._decayed(now)
        return 0.0 if penalty == 0.0 else min(FIRST_S * math.pow(2.0, penalty - 1.0), MOST_S)

    def _decayed(self, now: float) -> float:
        return self._penalty * math.pow(0.5, (now - self._at) / HALF_LIFE_S)
