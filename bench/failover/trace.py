"""What a fault did to the packets. Pure: who saw what and when in, an outage out.

Times are nanoseconds of one clock. A packet is lost upstream where the server has not got it,
also where it could not even be sent, and lost downstream where the server has and its echo is
missing.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

NS_PER_MS = 1_000_000
_MARGIN_NS = 50 * NS_PER_MS
"""What was sent this long before the fault may have been under way when it came."""


@dataclass(frozen=True)
class Trace:
    """One run of the echo."""

    sent: Sequence[int]
    """When, by sequence number; 0 where it could not be."""
    served: Sequence[int]
    """Sequence numbers as the server got them, again and again where they came again."""
    received: Sequence[tuple[int, int]]
    """Sequence numbers and times of the echoes, as they came."""


@dataclass(frozen=True)
class Outage:
    """What whoever sends has noticed."""

    gap_ms: float
    """From the last echo before the fault took effect to the first after it."""
    recovered: bool
    """Whether any echo came after the gap."""
    lost_up: int
    lost_down: int
    repeated: int
    """Echoes of packets that had come back before."""
    later_ms: float
    """The longest time without an echo after the gap."""
    before_ms: float
    """The same before the fault: what the machine does by itself."""
    lost_before: int


def outage(trace: Trace, at: int, onset_ms: float | None) -> Outage:
    """What the fault at the time `at` did.

    The gap begins within `onset_ms` of the fault: whatever stops the traffic later has another
    cause. With None it may begin at any time after it. A time without echoes that was over
    when the fault came does not count.
    """
    first: dict[int, int] = {}
    for number, when in trace.received:
        first.setdefault(number, when)
    arrivals = sorted(first.values())
    due = _due(trace.sent)
    ended = due[-1] if due else at
    latest = ended if onset_ms is None else at + round(onset_ms * NS_PER_MS)
    gap = _longest(
        (begin, end)
        for begin, end in pairwise([*arrivals, ended])
        if end > at and begin <= latest and end > begin
    )
    after = gap[1] if gap else at
    served = set(trace.served)
    counted = bisect_left(due, at - _MARGIN_NS)
    return Outage(
        gap_ms=_ms(gap),
        recovered=bool(arrivals) and arrivals[-1] >= after,
        lost_up=sum(number not in served for number in range(counted, len(due))),
        lost_down=sum(n in served and n not in first for n in range(counted, len(due))),
        repeated=len(trace.received) - len(first),
        later_ms=_ms(_longest(pairwise(arrivals[bisect_left(arrivals, after) :]))),
        before_ms=_ms(_longest(pairwise(arrivals[: bisect_right(arrivals, at)]))),
        lost_before=sum(number not in first for number in range(counted)),
    )


def _due(sent: Sequence[int]) -> list[int]:
    """When each packet was sent, or the one before it where it could not be."""
    found: list[int] = []
    for when in sent:
        found.append(when or (found[-1] if found else 0))
    return found


def _longest(spans: Iterable[tuple[int, int]]) -> tuple[int, int] | None:
    return max(spans, key=lambda span: span[1] - span[0], default=None)


def _ms(span: tuple[int, int] | None) -> float:
    return (span[1] - span[0]) / NS_PER_MS if span else 0.0
