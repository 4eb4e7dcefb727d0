"""Is a live tunnel good enough? Loss and delay over time, in windows of a second. Pure.

    GOOD      -- `bad_windows` in a row over a level to leave at -->      DEGRADED
    DEGRADED  -- `good_windows` in a row under the levels to return at --> GOOD

Between the two levels nothing changes; a window with too few datagrams tells delay only.
Loss is counted each way from what one lane's sequence numbers say was sent and what has
arrived.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Thresholds:
    """Shares of 1 for loss, seconds for delay (the smoothed round trip)."""

    window: float = 1.0
    longest_window: float = 10.0
    """A window is this long at most while it has too few datagrams to tell the loss."""
    least_datagrams: int = 20
    leave_loss: float = 0.05
    return_loss: float = 0.01
    leave_delay: float = 0.300
    return_delay: float = 0.200
    bad_windows: int = 3
    good_windows: int = 10


@dataclass(frozen=True)
class Counts:
    """What one lane each way has seen: highest sequence number and datagrams received."""

    up_highest: int
    up_received: int
    down_highest: int
    down_received: int


class Quality:
    """The quality of one session's path; `begin` again with each session."""

    def __init__(self, thresholds: Thresholds = Thresholds()) -> None:
        self.degraded = False
        self.loss: float | None = None
        """The worse direction's share lost in the last window that could tell."""
        self._thresholds = thresholds
        self._from: tuple[Counts, float] | None = None
        self._bad = self._good = 0

    def begin(self) -> None:
        """Sequence numbers begin anew."""
        self._from = None

    def observe(self, counts: Counts, srtt: float, now: float) -> None:
        """An answered probe: what its PROBE_ACK and the own replay window say."""
        if self._from is None:
            self._from = (counts, now)
            return
        before, since = self._from
        sent = counts.up_highest - before.up_highest
        enough = sent >= self._thresholds.least_datagrams
        if now - since < (self._thresholds.window if enough else self._thresholds.longest_window):
            return
        self._from = (counts, now)
        if enough:
            back = counts.down_highest - before.down_highest
            self.loss = max(
                0.0,
                1.0 - (counts.up_received - before.up_received) / sent,
                1.0 - (counts.down_received - before.down_received) / back if back else 0.0,
            )
        self._judge(self.loss if enough else None, srtt)

    def _judge(self, loss: float | None, srtt: float) -> None:
        limits = self._thresholds
        bad = srtt > limits.leave_delay or (loss is not None and loss > limits.leave_loss)
        good = srtt < limits.return_delay and loss is not None and loss < limits.return_loss
        if bad:
            self._bad, self._good = self._bad + 1, 0
        elif good:
            self._bad, self._good = 0, self._good + 1
        elif loss is not None:
            self._bad = self._good = 0
        if self._bad >= limits.bad_windows:
            self.degraded = True
        elif self._good >= limits.good_windows:
            self.degraded = False
