"""For how long a router that could not be trusted is left out. Pure.

Each ejection in short order lasts twice as long as the one before, and every quiet
`DECAY_S` takes one off again. The panic threshold keeps a mistake of the load balancer's own,
or of its network, from emptying the system: where more than half of the routers would be out,
ejection is ignored.
"""

from __future__ import annotations

from dataclasses import dataclass

MOST_S = 600.0
DECAY_S = 600.0
PANIC_SHARE = 0.5


@dataclass(frozen=True)
class Ejection:
    """The last ejection of a router: which in a row, from when, until when, and why."""

    count: int
    at: float
    until: float
    reason: str

    def holds(self, now: float) -> bool:
        """Whether the router is still out."""
        return now < self.until


def eject(before: Ejection | None, now: float, base: float, reason: str) -> Ejection:
    """Eject a router at `now`; the first time for `base` seconds."""
    count = 1
    if before is not None:
        quiet = max(now - before.until, 0.0)
        count += max(before.count - int(quiet / DECAY_S), 0)
    length = min(base * 2.0 ** min(count - 1, 32), max(MOST_S, base))
    return Ejection(count, now, now + length, reason)


def panics(out: int, known: int) -> bool:
    """Whether too many of the `known` routers that are not disabled would be out."""
    return out > PANIC_SHARE * known
