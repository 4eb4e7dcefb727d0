from __future__ import annotations

import math
from typing import Any

import pytest

from nrs.router.drain import DEFAULT_S, LONGEST_S, Drain, Phase, begun, phase

NOW = 1_790_000_000.0


@pytest.mark.parametrize(
    ("drain", "expected"),
    [
        (None, Phase.SERVING),
        (Drain(NOW + 1), Phase.DRAINING),
        (Drain(NOW), Phase.DRAINED),
        (Drain(NOW - 1000), Phase.DRAINED),
    ],
)
def test_the_phase_is_by_the_clock(drain: Drain | None, expected: Phase) -> None:
    assert phase(drain, NOW) is expected


@pytest.mark.parametrize(
    ("present", "within_s", "deadline"),
    [
        (None, None, NOW + DEFAULT_S),
        (None, 60, NOW + 60),
        (None, 0, NOW),
        (None, 0.5, NOW + 0.5),
        (None, LONGEST_S, NOW + LONGEST_S),
        (Drain(NOW + 7), None, NOW + 7),
        (Drain(NOW - 7), None, NOW - 7),
        (Drain(NOW + 7), 60, NOW + 60),
        (Drain(NOW - 7), 60, NOW + 60),
        (Drain(NOW + 700), 60, NOW + 60),
    ],
)
def test_a_drain_goes_on_unless_a_deadline_is_stated(
    present: Drain | None, within_s: float | None, deadline: float
) -> None:
    assert begun(present, within_s, NOW) == Drain(deadline)


@pytest.mark.parametrize(
    "within_s", [-1, -0.001, LONGEST_S + 1, math.inf, math.nan, True, "300", [], {}]
)
def test_an_impossible_deadline_is_refused(within_s: Any) -> None:
    with pytest.raises(ValueError, match="the deadline must be"):
        begun(Drain(NOW), within_s, NOW)


def test_the_time_left() -> None:
    assert Drain(NOW + 5).left(NOW) == 5
    assert Drain(NOW - 5).left(NOW) == 0


def test_what_is_kept_is_what_is_read() -> None:
    assert Drain.decode(Drain(NOW + 0.25).encode()) == Drain(NOW + 0.25)


@pytest.mark.parametrize(
    "text", ["", "{", "null", "[]", "7", "{}", '{"deadline": null}', '{"deadline": Infinity}']
)
def test_what_is_damaged_is_said(text: str) -> None:
    with pytest.raises(ValueError):
        Drain.decode(text)
