from __future__ import annotations

import itertools

from nrs.api.refusals import AT_ONCE, Refusals

ONE, OTHER = "192.0.2.1", "192.0.2.2"


def test_twenty_are_answered_at_once_and_then_one_a_second() -> None:
    refusals = Refusals()
    delays = [refusals.refused(ONE, 100.0).delay_s for _ in range(AT_ONCE + 3)]
    assert delays == [0.0] * AT_ONCE + [1.0, 2.0, 3.0]
    assert refusals.refused(ONE, 102.0).delay_s == 2.0
    assert refusals.refused(ONE, 1000.0).delay_s == 0.0


def test_a_source_is_answered_once_a_second_however_many_ask() -> None:
    refusals = Refusals()
    answers = []
    for tick in range(100 * 60):
        now = tick / 100
        refused = refusals.refused(ONE, now)
        if refused.answered:
            answers.append(now + refused.delay_s)
    assert answers[:AT_ONCE] == [tick / 100 for tick in range(AT_ONCE)]
    later = answers[AT_ONCE:]
    assert 59 <= len(later) <= 60 + 10
    assert min(after - before for before, after in itertools.pairwise(later)) > 0.999


def test_another_source_is_not_slowed() -> None:
    refusals = Refusals()
    for _ in range(1000):
        refusals.refused(ONE, 0.0)
    assert refusals.refused(OTHER, 0.0).delay_s == 0.0
    assert refusals.refused(ONE, 0.0).delay_s == 10.0
    assert not refusals.refused(ONE, 0.9).answered
    assert refusals.refused(ONE, 31.0).delay_s == 0.0


def test_all_are_counted_and_told_once_a_second() -> None:
    refusals = Refusals()
    lines = [refusals.refused(ONE, now).log for now in (5.0, 5.1, 5.9, 6.0)]
    assert lines == [
        "a credential from 192.0.2.1 was refused",
        None,
        None,
        "a credential from 192.0.2.1 was refused, and 2 more since the last such line",
    ]
    assert refusals.as_dict()["credentials"] == 4


def test_sources_without_end_are_not_all_remembered() -> None:
    refusals = Refusals()
    for number in range(10_000):
        refusals.refused(f"2001:db8:0:{number:x}::1", 0.0)
    assert len(refusals._free_at) == 4096
    assert refusals.as_dict()["credentials"] == 10_000


def test_requests_of_good_credentials_are_counted_apart_and_not_slowed() -> None:
    refusals = Refusals()
    said = [refusals.denied("192.0.2.1", now) for now in (0.0, 0.1, 0.2, 1.1)]
    first = "a request from 192.0.2.1 was not for its credential"
    assert said == [first, None, None, f"{first}, and 2 more since the last such line"]
    assert refusals.as_dict() == {"credentials": 0, "requests": 4}
