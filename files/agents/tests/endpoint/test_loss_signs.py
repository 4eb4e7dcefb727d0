"""What is lost of one direction, and what that is taken for."""

from __future__ import annotations

import random

import pytest

from nrs.endpoint.loss_signs import LossSigns

PROBE_S = 0.010


def watched(*sent_and_received: tuple[int, int]) -> LossSigns:
    """So many more from each answered PROBE to the next."""
    signs = LossSigns()
    sent = received = 0
    signs.observe(sent, received, 0.0)
    for number, (more, of_them) in enumerate(sent_and_received, 1):
        sent, received = sent + more, received + of_them
        signs.observe(sent, received, number * PROBE_S)
    return signs


WELL = (100, 100)


@pytest.mark.parametrize(
    ("carried", "some", "heavy"),
    [
        ([WELL] * 9, False, False),
        ([*[WELL] * 5, (100, 10)], False, True),
        ([*[WELL] * 5, (100, 10), *[WELL] * 4], False, True),
        ([*[WELL] * 5, (9, 0)], False, False),
        ([*[WELL] * 5, (9, 5), (9, 2)], False, True),
        ([(100, 80)] * 9, False, False),
        ([(100, 80)] * 11, True, False),
        ([(1, 0)] * 9, False, False),
        ([(1, 0)] * 11, True, True),
    ],
)
def test_what_is_lost_says(carried: list[tuple[int, int]], some: bool, heavy: bool) -> None:
    signs = watched(*carried)
    assert (signs.some, signs.heavy) == (some, heavy)


def test_what_was_lost_before_is_forgotten() -> None:
    signs = watched((100, 10))
    signs.forget()
    assert not signs.heavy
    signs.observe(200, 20, 1.0)
    signs.observe(300, 120, 1.2)
    assert not signs.some
    assert not signs.heavy


def test_another_session_counts_from_nothing() -> None:
    signs = watched(WELL)
    signs.observe(1, 1, 0.1)
    signs.observe(101, 11, 0.11)
    assert signs.heavy


def test_chance_is_seldom_heavy() -> None:
    """An hour of a PROBE each 10 ms that tells of ten datagrams, of which 5 % are lost."""
    chance = random.Random(3)  # noqa: S311 - chance that can be repeated
    heavy = 0
    for _ in range(360):
        arrived = [sum(chance.random() >= 0.05 for _ in range(10)) for _ in range(1000)]
        heavy += watched(*((10, received) for received in arrived)).heavy
    assert heavy < 60
