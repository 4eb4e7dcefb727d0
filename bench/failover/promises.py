"""What the project promises of faults and planned moves, held against measured figures. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from bench.failover.faults import FAULTS
from bench.failover.moves import MOVES
from bench.failover.summary import Summary
from bench.targets import Target

_LOST_UP = 1.0
_LOST_DOWN_BEYOND = 1.0


def in_short(name: str) -> str:
    """For a column of the table."""
    if name in MOVES:
        return "0 lost, 0 broken"
    half, all_but_one = FAULTS[name].target_ms
    return f"{half:g} / {all_but_one:g} ms"


def of_all(
    summaries: Mapping[str, Summary], false_failovers: tuple[int, int] | None, slack: float
) -> Iterator[Target]:
    """Each promise, its limit multiplied by `slack`; nothing is nothing, whatever the slack."""
    for name, own in summaries.items():
        yield from _of_move(name, own, slack) if name in MOVES else _of_fault(name, own, slack)
    if false_failovers is not None:
        minutes, count = false_failovers
        yield Target(f"false failovers in {minutes} minutes", count, 0, at_most=True)


def _of_fault(name: str, own: Summary, slack: float) -> Iterator[Target]:
    fault = FAULTS[name]
    for percent, limit in zip((50, 99), fault.target_ms, strict=True):
        yield Target(
            f"{name}: gap, p{percent}, ms", own.gap_ms(percent), limit * slack, at_most=True
        )
    yield Target(f"{name}: lost upstream, mean", own.lost_up_mean, _LOST_UP * slack, at_most=True)
    yield Target(
        f"{name}: lost downstream outside the gap, mean",
        own.lost_down_beyond,
        _LOST_DOWN_BEYOND * slack,
        at_most=True,
    )
    yield from _back(name, own, fault.back_s, slack)


def _of_move(name: str, own: Summary, slack: float) -> Iterator[Target]:
    yield Target(f"{name}: packets lost", own.lost_up_mean + own.lost_down_mean, 0, at_most=True)
    yield Target(f"{name}: TCP flows broken", own.tcp_broken, 0, at_most=True)
    yield from _back(name, own, MOVES[name].back_s, slack)


def _back(name: str, own: Summary, limit: float | None, slack: float) -> Iterator[Target]:
    if limit is not None:
        slowest = max(own.backs_s, default=None)
        yield Target(f"{name}: two healthy tunnels after, s", slowest, limit * slack, at_most=True)
