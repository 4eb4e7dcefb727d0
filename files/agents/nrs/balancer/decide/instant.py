"""The two clocks that a load balancer goes by, read at once.

Times called `now` are seconds of any clock that does not run backwards: the system's monotonic one
in the service, a virtual one in a simulation. It begins anew with the process or the host, so what
is stored, shared or answered is of the other one, called `wall`: seconds since the Unix epoch.
"""

from __future__ import annotations

from typing import NamedTuple


class Instant(NamedTuple):
    """What both of them show."""

    now: float
    wall: float

    @property
    def ahead(self) -> float:
        """Seconds to add to a time of the one for that of the other."""
        return self.wall - self.now

    def on_the_wall(self, when: float) -> float:
        """A time of the one by the other, to the millisecond."""
        return round(self.ahead + when, 3)
