"""What of a session's datagrams tells of loss on the path, and what was sent to be lost. Pure.

A PATH_PROBE that is too long and a train that is damaged are lost without a fault of the path. The
router says how many PATH_PROBEs it has answered. What passes while a trial of trains is under way,
either way, is left out as if it had not been: `answered` says nothing from the last PROBE before
the trial to the first one after it, and takes off all later counts what was counted in between.
"""

from __future__ import annotations

from nrs.endpoint.quality import Counts
from nrs.tunnel.wire import ProbeAck

_MOST_MARKS = 1024
_NOTHING = Counts(0, 0, 0, 0)
_Mark = tuple[int, int, bool]
"""Before a PROBE: PATH_PROBEs and trials sent, and whether the last trial was under way."""


class Counting:
    """Of one session; `restart` with each."""

    def __init__(self) -> None:
        self.restart()

    def restart(self) -> None:
        """Numbers begin anew."""
        self._path_probes = self._path_acks = self._trials = 0
        self._marks: dict[int, _Mark] = {}
        """Of unanswered PROBEs."""
        self._mark: _Mark = (0, 0, False)
        """Of the one answered last."""
        self._last = self._left_out = _NOTHING
        self._counted_trials = 0
        """How many trials were over as `_last` was counted."""

    def path_probe_sent(self) -> None:
        """A PATH_PROBE goes out."""
        self._path_probes += 1

    def path_ack_came(self) -> None:
        """One was answered."""
        self._path_acks += 1

    def trial_sent(self) -> None:
        """A trial's groups go out."""
        self._trials += 1

    def probe_sent(self, number: int, *, trial: bool) -> None:
        """A PROBE goes out; `trial`: while one is under way."""
        self._marks[number] = self._path_probes, self._trials, trial
        if len(self._marks) > _MOST_MARKS:
            del self._marks[next(iter(self._marks))]

    def answered(self, number: int, ack: ProbeAck, highest: int, received: int) -> Counts | None:
        """What to count by the answer to a PROBE; None where it is of a trial's time.

        `highest` and `received` are of the endpoint's own session, as that answer comes.
        """
        self._mark = self._marks.pop(number, self._mark)
        path_probes, trials, under_way = self._mark
        if under_way or trials < self._counted_trials:
            return None
        # Each answer to a PATH_PROBE is a datagram that the router has sent.
        counts = Counts(
            ack.highest - path_probes,
            ack.received - ack.path_probes,
            highest - ack.path_probes,
            received - self._path_acks,
        )
        if trials > self._counted_trials:
            self._counted_trials = trials
            self._left_out = self._left_out.plus(counts.minus(self._last))
        self._last = counts
        return counts.minus(self._left_out)
