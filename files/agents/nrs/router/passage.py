"""Whether what comes out of tunnels gets through the host to the egress, and back. Pure.

Two echoes to the same address are compared: a probe that takes the way of an endpoint's packets
(`probe.py`), and an echo of the host itself that goes out by the egress. Where only the second is
answered, it is the host that lets nothing pass: a FORWARD chain, missing NAT, rp_filter, a route.

    state     event                                                         next state
    UNKNOWN   a probe is answered                                           OPEN
    OPEN      MISSES comparisons in a row: echo answered, probe not         SHUT
    UNKNOWN   the same                                                      SHUT
    UNKNOWN   several endpoints begin connections, none of which leaves     SHUT
    SHUT      ANSWERS probes in a row answered                              OPEN
    any       connections leave and packets come back                       OPEN
    SHUT      by the endpoints' word alone, RETRY_S ago                     UNKNOWN

Where neither is answered, nothing is known: that is the egress's health (`egress.py`). While
endpoints send, a probe alone is not believed before their traffic has been looked at: a rule
against ICMP, some destinations or what one endpoint sends leaves the rest to pass.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum

MISSES = 3
ANSWERS = 2
RETRY_S = 60.0
WINDOW_S = 4.0
"""Of traffic that is looked at together."""
ENDPOINTS = 2
"""So many have to be hit before their word counts."""
_CONNECTIONS = 8
_LOOK_S = 1.0
"""How long traffic has to be looked at before a probe is believed."""
INTERVAL_S = 1.0
HURRIED_S = 0.25
"""While the last probe has no answer."""


class State(Enum):
    """What is known of the way through the host."""

    UNKNOWN = "unknown"
    OPEN = "open"
    SHUT = "shut"


@dataclass(frozen=True, slots=True)
class Traffic:
    """Counted since the table was made: connections that begin, and packets that come back."""

    entered: int = 0
    """Connections that have come out of tunnels, to elsewhere."""
    left: int = 0
    """Of these, what has left by the egress, masqueraded."""
    returned: int = 0
    """Packets that have come back through the egress and go into tunnels."""


class Passage:
    """The states above; times are of a clock in seconds."""

    def __init__(self) -> None:
        self.state = State.UNKNOWN
        self._missed = self._answered = 0
        self._vouched_until = -WINDOW_S
        """Until then traffic that passes speaks against the probes."""
        self._by_endpoints: float | None = None
        """When it was shut by their word alone."""
        self._seen: deque[tuple[float, Traffic]] = deque()

    @property
    def interval(self) -> float:
        """Seconds to the next comparison."""
        return HURRIED_S if self._missed or self.state is State.UNKNOWN else INTERVAL_S

    @property
    def missed(self) -> bool:
        """Whether probes stay away that should be back, whatever follows from that."""
        return self._missed >= MISSES

    def wants_traffic(self, endpoints: int) -> bool:
        """Whether it is of use to look at the traffic; `endpoints` have sent within WINDOW_S."""
        if self._missed or self.state is State.SHUT:
            return endpoints > 0
        return self.state is State.UNKNOWN and endpoints >= ENDPOINTS

    def handle_traffic(self, traffic: Traffic, endpoints: int, now: float) -> None:
        """What was counted up to `now`."""
        seen = self._seen
        if seen and (traffic.entered < seen[-1][1].entered or now - seen[-1][0] > WINDOW_S):
            seen.clear()  # the table was made anew, or nobody has looked for long
        seen.append((now, traffic))
        while len(seen) > 2 and seen[1][0] <= now - WINDOW_S:
            seen.popleft()
        began, before = seen[0]
        left, returned = traffic.left - before.left, traffic.returned - before.returned
        if left and returned:
            self._vouched_until = now + WINDOW_S
            self._open()
        elif (
            self.state is State.UNKNOWN
            and now - began >= WINDOW_S
            and endpoints >= ENDPOINTS
            and traffic.entered - before.entered >= _CONNECTIONS
            and not left
            and not returned
        ):
            self.state, self._by_endpoints = State.SHUT, now

    def tick(self, now: float, *, echoed: bool, probed: bool, endpoints: int, sure: bool) -> None:
        """An interval is over in which an echo, a probe was answered, or not.

        `sure`: a probe that stays away means that nothing passes, as far as is known.
        """
        if probed:
            self._answered += 1
            self._missed = 0
            if self.state is not State.SHUT or self._answered >= ANSWERS:
                self._open()
        elif echoed:
            self._answered = 0
            self._missed += 1
            if self._missed >= MISSES and sure and not self._contested(now, endpoints):
                self.state, self._by_endpoints = State.SHUT, None
        elif self._by_endpoints is not None and now - self._by_endpoints >= RETRY_S:
            self.state, self._by_endpoints = State.UNKNOWN, None
            self._seen.clear()

    def _contested(self, now: float, endpoints: int) -> bool:
        if now < self._vouched_until:
            return True
        looked = self._seen[-1][0] - self._seen[0][0] if self._seen else 0.0
        fresh = bool(self._seen) and now - self._seen[-1][0] < WINDOW_S
        return endpoints > 0 and not (fresh and looked >= _LOOK_S)

    def _open(self) -> None:
        self.state = State.OPEN
        self._by_endpoints = None
