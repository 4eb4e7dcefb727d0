from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.tunnel.replay import WINDOW, ReplayWindow

RING = 2 * WINDOW


class Naive:
    """A set of what was seen, and the rule in one line."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.highest = 0

    def accept(self, sequence: int) -> bool:
        if sequence < 1 or sequence in self.seen or sequence <= self.highest - WINDOW:
            return False
        self.seen.add(sequence)
        self.highest = max(self.highest, sequence)
        return True


def agree(sequences: list[int]) -> None:
    window, naive = ReplayWindow(), Naive()
    for sequence in sequences:
        assert window.accept(sequence) is naive.accept(sequence), sequence
        assert (window.highest, window.received) == (naive.highest, len(naive.seen))


def test_the_window_is_as_large_as_promised() -> None:
    assert WINDOW >= 8192


@pytest.mark.parametrize("top", [1, 7, 8, 9, WINDOW - 1, WINDOW, WINDOW + 1, RING, 3 * RING + 5])
def test_edges_around_the_highest(top: int) -> None:
    """Each behind-by from none to beyond the window, asked twice (RFC 6479 section 2)."""
    behind = [0, 1, 6, 7, 8, 9, WINDOW - 9, WINDOW - 8, WINDOW - 7, WINDOW - 1, WINDOW, WINDOW + 1]
    behind += [RING - 1, RING, RING + 1]
    for distance in behind:
        if top - distance >= 0:
            agree([top, top - distance, top - distance])


@pytest.mark.parametrize(
    "sequences",
    [
        [0],
        [0, 1, 0],
        [1, 1],
        [1, 2, 3, 2, 1, 4],
        [3, 1, 2, 3, 1, 2],
        list(range(1, 100)) * 2,
        list(range(100, 0, -1)) * 2,
        [WINDOW, 1, 1],
        [WINDOW + 1, 1, 2, 2],
        [1, RING + 1, 1, RING + 1],  # the same bit of the ring, one lap on
        [1, RING + 1, RING + 1 - WINDOW, RING + 2 - WINDOW],
        [5, 5 + RING - 8, 5 + RING, 5],
        [8, 5 * RING + 8, 5 * RING + 7, 8],
        [2**32 - 1, 2**32, 2**32 + 1, 2**32 - 1, 2**32 - WINDOW + 1, 2**32 - WINDOW + 2],
        [1, 2**64 - 1, 2**64 - 1, 2**64 - 2, 2**64 - 1 - WINDOW, 2**64 - WINDOW, 1],
    ],
)
def test_cases(sequences: list[int]) -> None:
    agree(sequences)


@pytest.mark.parametrize(
    "jump", [1, 2, 7, 8, 9, 16, WINDOW - 1, WINDOW, WINDOW + 1, RING - 8, RING, RING + 1, 9 * RING]
)
def test_after_a_jump_the_bits_passed_over_are_clear(jump: int) -> None:
    """Fill the whole ring, jump, and ask for everything that the window still covers."""
    window = ReplayWindow()
    for sequence in range(1, RING + 1):
        assert window.accept(sequence)
    top = RING + jump
    assert window.accept(top)
    for sequence in range(max(1, top - WINDOW - 20), top + 1):
        new = sequence > RING and sequence != top and sequence > top - WINDOW
        assert window.accept(sequence) is new, sequence


@given(
    steps=st.lists(
        st.one_of(
            st.integers(-20, 20),
            st.integers(-RING - 10, RING + 10),
            st.sampled_from([-WINDOW - 1, -WINDOW, -WINDOW + 1, WINDOW, RING, 10 * RING]),
        ),
        max_size=80,
    ),
    start=st.sampled_from([1, 8, WINDOW, 2**33, 2**63]),
)
def test_it_agrees_with_a_set(steps: list[int], start: int) -> None:
    window, naive = ReplayWindow(), Naive()
    for step in [0, *steps]:
        sequence = max(0, (naive.highest or start) + step)
        for _ in range(2):
            assert window.accept(sequence) is naive.accept(sequence)
            assert window.highest == naive.highest


def test_a_long_run_out_of_order_with_loss_and_repeats() -> None:
    chance = random.Random(6479)  # noqa: S311
    sequences: list[int] = []
    for base in range(1, 40_000):
        if chance.random() < 0.9:
            sequences.append(max(0, base - int(chance.paretovariate(0.6))))
        if chance.random() < 0.001:
            sequences.append(base + chance.randrange(3 * RING))
    agree(sequences)
