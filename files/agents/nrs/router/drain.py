"""Taking a router out of service without breaking a connection. Pure.

    phase      what endpoints are told     packets
    SERVING    nothing                     are forwarded
    DRAINING   DRAINING: new flows go to   are forwarded: flows end here, where their NAT
               another router              state is
    DRAINED    DRAINING and EGRESS_DOWN:   are rejected: what has outlived the deadline ends
               all flows go elsewhere      with a reset, and does not hang

`nrs drain` leads from SERVING to DRAINING, the deadline on to DRAINED, and `nrs undrain` back
from both. The deadline is by the wall clock, as it has to outlive a restart.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from enum import Enum

DEFAULT_S = 300.0
LONGEST_S = 7 * 86400.0


class Phase(Enum):
    """What the router does for its endpoints."""

    SERVING = "serving"
    DRAINING = "draining"
    DRAINED = "drained"


@dataclass(frozen=True)
class Drain:
    """A drain under way; `deadline` is in seconds since the Unix epoch."""

    deadline: float

    def left(self, wall: float) -> float:
        """Seconds until the deadline, 0 once it is over."""
        return max(0.0, self.deadline - wall)

    def encode(self) -> str:
        """As it is kept."""
        return json.dumps({"deadline": self.deadline})

    @classmethod
    def decode(cls, text: str) -> Drain:
        """Raises ValueError for what is not a kept drain."""
        try:
            deadline = float(json.loads(text)["deadline"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"not a drain: {error}") from None
        if not math.isfinite(deadline):
            raise ValueError("not a drain: the deadline is not finite")
        return cls(deadline)


def phase(drain: Drain | None, wall: float) -> Phase:
    """What is to be done at `wall` seconds since the Unix epoch."""
    if drain is None:
        return Phase.SERVING
    return Phase.DRAINING if drain.left(wall) > 0 else Phase.DRAINED


def begun(present: Drain | None, within_s: object, wall: float) -> Drain:
    """What `nrs drain` makes of `present`; `within_s` is None where no deadline was stated.

    One that is under way goes on as it is, unless a deadline is stated. Raises ValueError.
    """
    if within_s is None:
        return present if present is not None else Drain(wall + DEFAULT_S)
    # `bool` is a number in Python, and JSON has a word for infinity here.
    if isinstance(within_s, bool) or not isinstance(within_s, (int, float)):
        raise ValueError(f"the deadline must be a number of seconds, not {within_s!r}")
    if not 0 <= within_s <= LONGEST_S:
        raise ValueError(f"the deadline must be 0 to {LONGEST_S:.0f} seconds, not {within_s}")
    return Drain(wall + within_s)
