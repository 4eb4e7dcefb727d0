"""The last decisions of one endpoint, packed: runs of equal ones are one record.

    first u32 | last u32 | count u32 | router u16 | previous u16 | reason u8 | score f32

Times are tenths of a second since the first decision of all, routers stand as numbers. With
100,000 endpoints, objects would take gigabytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from nrs.balancer.decide.rule import Reason

MOST = 50
NOBODY = 0xFFFF
"""The number of the router before the first."""

_RECORD = struct.Struct("<IIIHHBf")
_SAME = struct.Struct("<HHB")
_SAME_AT = 12
_LAST_AND_COUNT = struct.Struct("<II")
_LAST_AT = 4
_SCORE = struct.Struct("<f")
_SCORE_AT = 17
_TICKS = 10.0
_LARGEST = 2**32 - 1
_REASONS = tuple(Reason)
_NUMBERS = {reason: number for number, reason in enumerate(_REASONS)}


@dataclass(frozen=True)
class Run:
    """`count` equal decisions in a row, from `first` to `last`; `score` is that of the last one."""

    first: float
    last: float
    count: int
    router_id: str
    previous: str | None
    """The router before; None for the first, and where it is not known."""
    reason: Reason
    score: float


class Numbers:
    """A number below NOBODY for each router, for good unless there have been 65,535 of them."""

    def __init__(self) -> None:
        self._names: list[str] = []
        self._numbers: dict[str, int] = {}

    def of(self, router_id: str, used: Iterable[int]) -> int:
        """The router's number; where none is left, one that is not among those `used`."""
        number = self._numbers.get(router_id)
        if number is not None:
            return number
        if len(self._names) < NOBODY:
            number = len(self._names)
            self._names.append(router_id)
        else:
            taken = set(used)
            number = next(n for n in range(NOBODY) if n not in taken)
            del self._numbers[self._names[number]]
            self._names[number] = router_id
        self._numbers[router_id] = number
        return number

    def name(self, number: int) -> str:
        """The router that was given `number`."""
        return self._names[number]


class History:
    """Writes decisions into endpoints' records, and reads them; its origin is the first one."""

    def __init__(self, numbers: Numbers) -> None:
        self._numbers = numbers
        self._origin: float | None = None

    def note(
        self,
        records: bytearray,
        now: float,
        router: int,
        previous: int | None,
        reason: Reason,
        score: float,
    ) -> None:
        """Add a decision; routers are numbers."""
        if self._origin is None:
            self._origin = now
        tick = min(int((now - self._origin) * _TICKS), _LARGEST)
        same = router, NOBODY if previous is None else previous, _NUMBERS[reason]
        at = len(records) - _RECORD.size
        if at >= 0 and _SAME.unpack_from(records, at + _SAME_AT) == same:
            _, count = _LAST_AND_COUNT.unpack_from(records, at + _LAST_AT)
            _LAST_AND_COUNT.pack_into(records, at + _LAST_AT, tick, min(count + 1, _LARGEST))
            _SCORE.pack_into(records, at + _SCORE_AT, score)
            return
        if len(records) >= MOST * _RECORD.size:
            del records[: _RECORD.size]
        records += _RECORD.pack(tick, tick, 1, *same, score)

    def runs(self, records: bytes | bytearray) -> Iterator[Run]:
        """What has been noted, oldest first."""
        origin, name = self._origin or 0.0, self._numbers.name
        for first, last, count, router, previous, reason, score in _RECORD.iter_unpack(records):
            yield Run(
                first / _TICKS + origin,
                last / _TICKS + origin,
                count,
                name(router),
                None if previous == NOBODY else name(previous),
                _REASONS[reason],
                score,
            )
