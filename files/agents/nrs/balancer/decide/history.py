"""The last decisions of one endpoint, packed: runs of equal ones are one record.

    first u32 | last u32 | count u32 | router u16 | previous u16 | reason u8 | score f32

Times are tenths of a second since an origin of the caller's. With 100,000 endpoints, objects
would take gigabytes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from typing import NamedTuple

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


class Run(NamedTuple):
    """`times` equal decisions from `first` to `last`; `score` is that of the last one."""

    first: float
    last: float
    times: int
    router: int
    previous: int
    reason: Reason
    score: float


def note(
    records: bytearray, when: float, router: int, previous: int, reason: Reason, score: float
) -> None:
    """Add a decision at `when`; routers are numbers below NOBODY."""
    tick = min(int(when * _TICKS), _LARGEST)
    number = _NUMBERS[reason]
    at = len(records) - _RECORD.size
    if at >= 0 and _SAME.unpack_from(records, at + _SAME_AT) == (router, previous, number):
        _, count = _LAST_AND_COUNT.unpack_from(records, at + _LAST_AT)
        _LAST_AND_COUNT.pack_into(records, at + _LAST_AT, tick, min(count + 1, _LARGEST))
        _SCORE.pack_into(records, at + _SCORE_AT, score)
        return
    if len(records) >= MOST * _RECORD.size:
        del records[: _RECORD.size]
    records += _RECORD.pack(tick, tick, 1, router, previous, number, score)


def runs(records: bytes | bytearray) -> Iterator[Run]:
    """What has been noted, oldest first."""
    for first, last, count, router, previous, number, score in _RECORD.iter_unpack(records):
        yield Run(first / _TICKS, last / _TICKS, count, router, previous, _REASONS[number], score)
