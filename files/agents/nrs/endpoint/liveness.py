"""Is a tunnel alive? The state machine of one tunnel of an endpoint, and its timing.

    CONNECTING  no session yet; HELLOs go out, each after a longer pause
    UP          probes are answered
    SUSPECT     probes go unanswered for too long; probed often, no new traffic if
                there is a better tunnel; after a moment HELLOs go out too, in case
                the router has lost the session
    DOWN        nothing heard for `dead` seconds; only HELLOs go out

    CONNECTING, DOWN  -- session opened -->  UP
    UP       -- no evidence of life for the limit, 3 probes or more unanswered -->  SUSPECT
    SUSPECT  -- probe answered, or session opened -->  UP
    SUSPECT  -- nothing heard for `dead` -->  DOWN
    any      -- the router says BYE -->  CONNECTING

Only answered probes count as life, not what merely arrives: a path that is dead in
one direction still delivers the other. RTT is estimated as RFC 6298 section 2 does, but
that RTTVAR falls slowly: with a hundred samples a second its memory would be a few of them
(RFC 7323 appendix G), and the next queue on the way would pass for a failure.
What answers after a failure of more than a moment, or a restart, has waited for its end: the
round trip is measured with probes that were sent since. A spike is over sooner, and is learnt.
Not judged is who could not answer: the third probe has had its round trip, a router that
restarts has its `pause`, and an endpoint that was held up once in a silence waits a moment.

Where processors are scarce, at either end, life takes longer to show. What the endpoint waited
for one since the last answer is added to the limit. An answer that was later than SRTT by L makes
the limit two L and a probe's interval at least; L is forgotten by and by. `patience` bounds both,
so that a real fault is not made a long one; where nobody waits there is nothing to add.
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
    """Between probes of a suspect one, but for the first moments under traffic."""
    idle_retry: float = 0.200
    """Between probes of an idle tunnel whose last probe is unanswered."""
    least_limit: float = 0.040
    """Without evidence of life for this long, or SRTT + 4 RTTVAR if that is longer: suspect."""
    patience: float = 0.090
    """The longest that lateness of the endpoint's or the router's own makes the limit."""
    first_round_trip: float = 1.0
    """Taken for the round trip until one is measured (RFC 6298 section 2.1)."""
    unanswered: int = 3
    held_up: float = 0.020
    """An endpoint that comes back to a busy tunnel later than this was held up itself."""
    reading: float = 0.001
    """Until what has arrived is read on."""
    pause: float = 3.0
    """A router that has announced its restart may be silent for this long."""
    leaving: float = 0.1
    """It may go on answering for this long before it falls silent."""
    hello_first: float = 0.25
    hello_most: float = 2.0
    hello_after_suspect: float = 0.3


_MOST_OUTSTANDING = 1024
_NUMBERS = 1 << 32
_LONG_AGO = -1e9
_MOST_GAIN = 1 / 4
_MEMORY_S = 0.64
"""Of RTTVAR where it falls: each sample counts for the time since the one before."""
_LATENESS_HALVES_S = 1.0


class Liveness:
    """One tunnel's state. `due` says what to send, the other methods what happened."""

    def __init__(self, timing: Timing, now: float) -> None:
        self.timing = timing
        self.state = State.CONNECTING
        self.since = now
        self.failures = 0
        self.srtt: float | None = None
        self.last_answer = now
        self._rttvar = 0.0
        self._waited = 0.0
        """For a processor, since the last evidence of life."""
        self._lateness = 0.0
        """Of answers, the most, as remembered when the last one came."""
        self._probe_number = 0
        self._outstanding: deque[tuple[int, float]] = deque(maxlen=_MOST_OUTSTANDING)
        self._last_probe = _LONG_AGO
        self._last_due = now
        self._not_before = now
        self._excused_at = _LONG_AGO
        self._paused = _LONG_AGO
        self._measured_from = now
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
    def unanswered(self) -> int:
        """Probes that are still without an answer."""
        return len(self._outstanding)

    @property
    def round_trip(self) -> float:
        """When an answer is overdue, in seconds from its probe: SRTT + 4 RTTVAR."""
        if self.srtt is None:
            return self.timing.first_round_trip
        return self.srtt + 4 * self._rttvar

    @property
    def limit(self) -> float:
        """How long there may be no evidence of life, in seconds."""
        limit = max(self.timing.least_limit, self.round_trip)
        late = self.timing.probe + 2 * self._lateness
        return max(limit, min(max(limit, late) + self._waited, self.timing.patience))

    # -- what happened

    def session_opened(self, now: float) -> None:
        """A handshake has finished."""
        self._outstanding.clear()
        self.last_answer = now
        self._last_probe = _LONG_AGO
        self._not_before = self._measured_from = now
        self._enter(State.UP, now)

    def session_lost(self, now: float) -> None:
        """The router has closed the session."""
        self._outstanding.clear()
        self._enter(State.CONNECTING, now)
        self._restart_hello(now)

    def waited(self, seconds: float) -> None:
        """The endpoint has waited so much longer for a processor."""
        self._waited += seconds

    def condemned(self, now: float) -> bool:
        """Whether `due` would find it suspect."""
        return (
            self.state is State.UP
            and len(self._outstanding) >= self.timing.unanswered
            and now >= self._verdict()
        )

    def unread(self, now: float) -> None:
        """There is more to read of what has arrived: no verdict yet, but for twice the limit."""
        if self._outstanding and now - self._silent_since() < 2 * self.limit:
            self._not_before = max(self._not_before, now + self.timing.reading)

    def probe_now(self) -> None:
        """A probe is due at once: the tunnel leaves from another address, or takes over."""
        self._last_probe = _LONG_AGO

    def pauses(self, now: float) -> None:
        """The router restarts: it will answer what waits for it."""
        self._paused = now
        self._not_before = self._measured_from = now + self.timing.pause

    def pausing(self, now: float) -> bool:
        """Whether the router has announced a silence, and has not answered since."""
        return now < self._paused + self.timing.pause

    def probe_answered(self, number: int, rtt: float, now: float) -> None:
        """A PROBE_ACK has arrived; answers may come late and out of order."""
        while self._outstanding and _not_after(self._outstanding[0][0], number):
            self._outstanding.popleft()
        if now - rtt > self._paused + self.timing.leaving:
            self._paused = _LONG_AGO
            self._not_before = min(self._not_before, now)
            self._measured_from = min(self._measured_from, now)
        if self.state is State.SUSPECT:
            # The probes still out were counted as this failure; late answers are no second one.
            self._outstanding.clear()
            if now - self.since >= self.timing.hello_after_suspect:
                self._measured_from = now
            self._enter(State.UP, now)
        if now - rtt >= self._measured_from:
            self._measure(rtt, now)
        self.last_answer, self._waited = now, 0.0

    def _measure(self, rtt: float, now: float) -> None:
        if self.srtt is None:
            self.srtt, self._rttvar = rtt, rtt / 2
            return
        self._lateness *= 0.5 ** ((now - self.last_answer) / _LATENESS_HALVES_S)
        self._lateness = max(self._lateness, rtt - self.srtt)
        error = abs(self.srtt - rtt)
        gain = _MOST_GAIN
        if error < self._rttvar:
            gain = min(gain, (now - self.last_answer) / _MEMORY_S)
        self._rttvar += gain * (error - self._rttvar)
        self.srtt = 0.875 * self.srtt + 0.125 * rtt

    # -- what to do

    def due(self, now: float, busy: bool, *, judge: bool = True) -> list[Action]:
        """What to send at `now`; `busy` when the tunnel carries traffic or is in doubt.

        `judge` where all is read that has arrived for it.
        """
        self._excuse(now)
        if judge:
            self._judge(now)
        actions = []
        if self.state in {State.UP, State.SUSPECT} and now >= self._probe_time(busy):
            self._probe_number = (self._probe_number + 1) % _NUMBERS
            if not self._outstanding:
                self._waited = 0.0
            self._outstanding.append((self._probe_number, now))
            self._last_probe = now
            actions.append(Action.PROBE)
        if self.state is not State.UP and now >= self._next_hello:
            self._next_hello = now + self._hello_pause
            self._hello_pause = min(2 * self._hello_pause, self.timing.hello_most)
            actions.append(Action.HELLO)
        self._last_due = max(now, self.next_due(busy))
        return actions

    def next_due(self, busy: bool) -> float:
        """When `due` has to be called next, in seconds of the same clock."""
        times = []
        if self.state in {State.UP, State.SUSPECT}:
            times.append(self._probe_time(busy))
        if self.state is State.UP and len(self._outstanding) >= self.timing.unanswered:
            times.append(self._verdict())
        if self.state is not State.UP:
            times.append(self._next_hello)
        return min(times)

    def _verdict(self) -> float:
        """When the tunnel is suspect if nothing is answered; enough probes are unanswered."""
        third = self._outstanding[self.timing.unanswered - 1][1]
        return max(self._silent_since() + self.limit, third + self.round_trip, self._not_before)

    def _silent_since(self) -> float:
        """An idle tunnel's last answer is old: the silence begins with what was asked first."""
        return max(self.last_answer, self._outstanding[0][1] - self.timing.probe)

    def _excuse(self, now: float) -> None:
        late = now - self._last_due > self.timing.held_up
        if late and self._excused_at < self.last_answer:
            # Whoever answers may have been held up too, as on a machine that stood still.
            self._excused_at = now
            self._not_before = max(self._not_before, now + self.timing.probe)

    def _judge(self, now: float) -> None:
        if self.condemned(now):
            self.failures += 1
            self._enter(State.SUSPECT, now)
            self._hello_pause = self.timing.hello_first
            self._next_hello = now + self.timing.hello_after_suspect
        elif self.state is State.SUSPECT and now - self.last_answer >= self.timing.dead:
            self._outstanding.clear()
            self._enter(State.DOWN, now)

    def _probe_time(self, busy: bool) -> float:
        if self.state is State.SUSPECT:
            fresh = self._last_probe < self.since + self.timing.hello_after_suspect
            often = busy and fresh
            return self._last_probe + (self.timing.probe if often else self.timing.suspect_probe)
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
