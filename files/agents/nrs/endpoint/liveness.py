"""Is a tunnel alive? The state machine of one tunnel of an endpoint, and its timing.

    CONNECTING  no session yet; HELLOs go out, each after a longer pause
    UP          probes are answered
    SUSPECT     probes go unanswered for too long; probed often, no new traffic if
                there is a better tunnel; after a moment HELLOs go out too, in case
                the router has lost the session
    DOWN        nothing heard for `dead` seconds; only HELLOs go out

    CONNECTING, DOWN  -- session opened -->  UP
    UP       -- 3 probes unanswered, the oldest longer than the limit -->  SUSPECT
    SUSPECT  -- probe answered, or session opened -->  UP
    SUSPECT  -- nothing heard for `dead` -->  DOWN
    any      -- the router says BYE -->  CONNECTING

Only answered probes count as life, not what merely arrives: a path that is dead in
one direction still delivers the other. RTT is estimated as RFC 6298 section 2 does.
Pure: every method is told the time.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """See the module's picture."""

    CONNECTING = "connecting"
    UP = "up"
    SUSPECT = "suspect"
    DOWN = "down"


class Action(Enum):
    """What is to be sent now."""

    PROBE = "probe"
    HELLO = "hello"


@dataclass(frozen=True)
class Timing:
    """All in seconds but `unanswered`."""

    keepalive: float = 10.0
    dead: float = 30.0
    probe: float = 0.010
    """Between probes of a tunnel that carries traffic."""
    suspect_probe: float = 0.050
    idle_retry: float = 0.200
    """Between probes of an idle tunnel whose last probe is unanswered."""
    least_limit: float = 0.100
    """A probe may be unanswered for this long, or SRTT + 4 RTTVAR if that is longer."""
    unanswered: int = 3
    hello_first: float = 0.25
    hello_most: float = 2.0
    hello_after_suspect: float = 0.3


_MOST_OUTSTANDING = 1024
_NUMBERS = 1 << 32


class Liveness:
    """One tunnel's state. `due` says what to send, the other methods what happened."""

    def __init__(self, timing: Timing, now: float) -> None:
        self.timing = timing
        self.state = State.CONNECTING
        self.since = now
        self.failures = 0
        self.srtt: float | None = None
        self._rttvar = 0.0
        self._probe_number = 0
        self._outstanding: deque[tuple[int, float]] = deque(maxlen=_MOST_OUTSTANDING)
        self._last_probe = -1e9
        self._last_answer = now
        self._hello_pause = timing.hello_first
        self._next_hello = now

    def retime(self, timing: Timing) -> None:
        """Go by another timing from now on."""
        self.timing = timing

    @property
    def probe_number(self) -> int:
        """The number that the PROBE asked for last is to carry."""
        return self._probe_number

    @property
    def limit(self) -> float:
        """How long a probe may stay unanswered, in seconds."""
        if self.srtt is None:
            return self.timing.least_limit
        return max(self.timing.least_limit, self.srtt + 4 * self._rttvar)

    # -- what happened

    def session_opened(self, now: float) -> None:
        """A handshake has finished."""
        self._outstanding.clear()
        self._last_answer = now
        self._last_probe = -1e9
        self._enter(State.UP, now)

    def session_lost(self, now: float) -> None:
        """The router has closed the session."""
        self._outstanding.clear()
        self._enter(State.CONNECTING, now)
        self._restart_hello(now)

    def moved(self) -> None:
        """The tunnel leaves from another address: a probe is due at once, to tell the router."""
        self._last_probe = -1e9

    def probe_answered(self, number: int, rtt: float, now: float) -> None:
        """A PROBE_ACK has arrived; answers may come late and out of order."""
        while self._outstanding and _not_after(self._outstanding[0][0], number):
            self._outstanding.popleft()
        self._last_answer = now
        if self.srtt is None:
            self.srtt, self._rttvar = rtt, rtt / 2
        else:
            self._rttvar = 0.75 * self._rttvar + 0.25 * abs(self.srtt - rtt)
            self.srtt = 0.875 * self.srtt + 0.125 * rtt
        if self.state is State.SUSPECT:
            # The probes still out were counted as this failure; late answers are no second one.
            self._outstanding.clear()
            self._enter(State.UP, now)

    # -- what to do

    def due(self, now: float, busy: bool) -> list[Action]:
        """What to send at `now`; `busy` when the tunnel carries traffic or is in doubt."""
        self._judge(now)
        actions = []
        if self.state in {State.UP, State.SUSPECT} and now >= self._probe_time(busy):
            self._probe_number = (self._probe_number + 1) % _NUMBERS
            self._outstanding.append((self._probe_number, now))
            self._last_probe = now
            actions.append(Action.PROBE)
        if self.state is not State.UP and now >= self._next_hello:
            self._next_hello = now + self._hello_pause
            self._hello_pause = min(2 * self._hello_pause, self.timing.hello_most)
            actions.append(Action.HELLO)
        return actions

    def next_due(self, busy: bool) -> float:
        """When `due` has to be called next, in seconds of the same clock."""
        times = []
        if self.state in {State.UP, State.SUSPECT}:
            times.append(self._probe_time(busy))
        if self.state is State.UP and len(self._outstanding) >= self.timing.unanswered:
            times.append(self._outstanding[0][1] + self.limit)
        if self.state is not State.UP:
            times.append(self._next_hello)
        return min(times)

    def _judge(self, now: float) -> None:
        if self.state is State.UP and (
            len(self._outstanding) >= self.timing.unanswered
            and now >= self._outstanding[0][1] + self.limit
        ):
            self.failures += 1
            self._enter(State.SUSPECT, now)
            self._hello_pause = self.timing.hello_first
            self._next_hello = now + self.timing.hello_after_suspect
        elif self.state is State.SUSPECT and now - self._last_answer >= self.timing.dead:
            self._outstanding.clear()
            self._enter(State.DOWN, now)

    def _probe_time(self, busy: bool) -> float:
        if self.state is State.SUSPECT:
            return self._last_probe + self.timing.suspect_probe
        if busy:
            return self._last_probe + self.timing.probe
        if self._outstanding:
            return self._last_probe + max(self.timing.idle_retry, self.limit)
        return self._last_probe + self.timing.keepalive

    def _restart_hello(self, now: float) -> None:
        self._hello_pause = self.timing.hello_first
        self._next_hello = now

    def _enter(self, state: State, now: float) -> None:
        if state is not self.state:
            self.state = state
            self.since = now


def _not_after(sent: int, answered: int) -> bool:
    """Whether probe `sent` is `answered` or before it: numbers wrap (RFC 1982)."""
    return (answered - sent) % _NUMBERS < _NUMBERS // 2
