from __future__ import annotations

import pytest

from nrs.balancer.decide.ejection import DECAY_S, MOST_S, Ejection, eject, panics


def ejections(*moments: float) -> list[float]:
    """How long each lasts."""
    last: Ejection | None = None
    lengths = []
    for now in moments:
        last = eject(last, now, 10.0, "silent")
        lengths.append(last.until - now)
    return lengths


def test_each_lasts_twice_as_long_as_the_one_before_up_to_a_limit() -> None:
    assert ejections(0, 100, 200, 300) == [10, 20, 40, 80]
    assert ejections(*range(0, 10_000, 100))[-1] == MOST_S


def test_a_quiet_time_takes_one_off() -> None:
    assert ejections(0, 100, 120 + DECAY_S - 1) == [10, 20, 40]
    assert ejections(0, 100, 120 + DECAY_S) == [10, 20, 20]
    assert ejections(0, 100, 120 + 5 * DECAY_S) == [10, 20, 10]


def test_it_holds_until_its_end() -> None:
    found = eject(None, 100.0, 10.0, "why")
    assert found.holds(109.9)
    assert not found.holds(110.0)
    assert found.reason == "why"


@pytest.mark.parametrize(
    ("out", "known", "panic"), [(0, 0, False), (1, 2, False), (2, 3, True), (1, 1, True)]
)
def test_more_than_half_is_too_many(out: int, known: int, panic: bool) -> None:
    assert panics(out, known) is panic
