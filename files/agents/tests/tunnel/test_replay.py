"""The replay windows of both codecs against one list of cases (RFC 6479, and its users' tests)."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Protocol

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nrs.tunnel.codec import load
from nrs.tunnel.codec.carrier import Stop
from nrs.tunnel.codec.sealing import Check
from nrs.tunnel.inner import Owned
from nrs.tunnel.replay import WINDOW, ReplayWindow
from nrs.tunnel.wire import Type
from tests.tunnel.codecs import count_from, opening

RING = WINDOW + 64
BLOCK = 8
LAST = 2**64 - 1
KEY = bytes(range(32))


class Window(Protocol):
    """What the cases ask of a window."""

    @property
    def highest(self) -> int: ...

    @property
    def received(self) -> int: ...

    def accept(self, sequence: int) -> bool: ...


class InC:
    """The C codec's window behind the way that every datagram goes: sealed, then opened."""

    def __init__(self) -> None:
        codec = load("c")
        self._sealer = codec.sealer(KEY, 1)
        self._opener = codec.opener(KEY, 1, Owned([]), Check.SOURCE)
        self._frames = opening(codec)

    @property
    def highest(self) -> int:
        return self._opener.highest(0)

    @property
    def received(self) -> int:
        return self._opener.received(0)

    def accept(self, sequence: int) -> bool:
        before = self.highest
        count_from(self._sealer, (sequence - 1) % 2**64)
        datagram = memoryview(bytearray(self._sealer.control(Type.PROBE, bytes(24))))
        opened = self._frames.open(self._opener, datagram, len(datagram), 0, 0)
        accepted = opened.stop is Stop.CONTROL
        assert opened.drops == (0, int(not accepted), 0, 0)
        assert opened.authentic == accepted
        assert opened.newest == (accepted and sequence > before)
        return accepted


class Naive:
    """A set of what was seen, and the rule in one line."""

    def __init__(self) -> None:
        self.seen: set[int] = set()
        self.highest = 0

    @property
    def received(self) -> int:
        return len(self.seen)

    def accept(self, sequence: int) -> bool:
        if sequence < 1 or sequence in self.seen or sequence <= self.highest - WINDOW:
            return False
        self.seen.add(sequence)
        self.highest = max(self.highest, sequence)
        return True


BOTH = pytest.mark.parametrize(
    "new", [pytest.param(ReplayWindow, id="python"), pytest.param(InC, id="c")]
)
New = Callable[[], Window]
Step = tuple[int, bool]


def yes(*sequences: int) -> list[Step]:
    return [(sequence, True) for sequence in sequences]


def no(*sequences: int) -> list[Step]:
    return [(sequence, False) for sequence in sequences]


CASES: dict[str, list[Step]] = {
    "in order": yes(*range(1, 40)),
    "the first need not be 1": yes(77, 78) + yes(1, 2) + no(77),
    "gaps": yes(1, 3, 7, 20, 500, 501, 4000),
    "gaps filled later": yes(1, 5, 3, 2, 4) + no(1, 2, 3, 4, 5),
    "in reverse": yes(*range(40, 0, -1)) + no(*range(1, 41)),
    "reordered within a block": yes(8, 15, 9, 14, 10, 13, 11, 12) + no(*range(8, 16)),
    "reordered over blocks": yes(7, 16, 8, 15, 23, 24, 9) + no(7, 8, 9, 15, 16, 23, 24),
    "a duplicate at once": yes(1) + no(1) + yes(2) + no(2, 1),
    "a duplicate much later": yes(1, *range(2, 3000)) + no(1, 1500, 2999),
    "0 is never a number": no(0) + yes(1) + no(0) + yes(9000) + no(0),
    "0 after a jump back in sight of it": yes(WINDOW - 1) + no(0) + yes(1),
    "the oldest that is covered": yes(WINDOW, 1) + no(1),
    "one older than that": yes(WINDOW + 1) + no(1) + yes(2) + no(2),
    "the edge moves by one": yes(WINDOW, WINDOW + 1) + no(1) + yes(2, WINDOW + 2) + no(2) + yes(3),
    "the edge, far from 0": yes(10**9)
    + no(10**9 - WINDOW - 1, 10**9 - WINDOW)
    + yes(10**9 - WINDOW + 1, 10**9 - WINDOW + 2)
    + no(10**9 - WINDOW + 1),
    "behind the window, ring included": yes(5 * RING)
    + no(4 * RING, 4 * RING + 1, 5 * RING - WINDOW, 1)
    + yes(5 * RING - 1),
    "a jump of one window": yes(1, 1 + WINDOW) + no(1) + yes(2) + no(2),
    "a jump of one ring less a block": yes(8, RING) + no(8) + yes(RING - WINDOW + 1),
    "a jump of one ring": yes(5, RING + 5) + no(5, RING + 5) + yes(RING + 4, RING + 6),
    "a jump of one ring and one": yes(5, RING + 6) + yes(RING + 5) + no(RING + 6, 5),
    "a jump of several rings": yes(8, 5 * RING + 8, 5 * RING + 7) + no(8) + yes(5 * RING + 9),
    "jump after jump of a ring": yes(*range(3, 9 * RING, RING)) + yes(8 * RING + 2),
    "the same bit one ring on is another number": yes(1, RING + 1) + no(1, RING + 1),
    "the same bit, within reach of the edge": yes(100, RING + 100, RING + 101 - WINDOW)
    + no(RING + 100 - WINDOW),
    "what was in the ring before is cleared": yes(*range(1, RING + 1))
    + yes(RING + WINDOW)
    + yes(*range(RING + 1, RING + WINDOW))
    + no(RING + 1, RING + WINDOW),
    "last of a block to first of the next": yes(7, 8) + no(7, 8) + yes(15, 16) + no(15, 16),
    "first of a block, then all before it": yes(8 * BLOCK)
    + yes(*range(1, 8 * BLOCK))
    + no(8 * BLOCK),
    "last block of the ring to its first": yes(RING - 1, RING)
    + no(RING - 1)
    + yes(RING + 1, RING - 2),
    "around the ring at its block's bounds": yes(RING - BLOCK, RING - 1, RING, RING + BLOCK - 1)
    + yes(RING + BLOCK)
    + no(RING - BLOCK, RING, RING + BLOCK - 1),
    "32 bits are no bound": yes(2**32 - 1, 2**32, 2**32 + 1)
    + no(2**32 - 1, 2**32 - WINDOW + 1)
    + yes(2**32 - WINDOW + 2),
    "63 bits are no bound": yes(2**63 - 1, 2**63, 2**63 + 1, 2**63 - 2) + no(2**63, 2**63 - WINDOW),
    "the last number": yes(LAST - 1, LAST) + no(LAST, LAST - 1),
    "nothing comes after the last": yes(LAST) + no(0, 1, 2, WINDOW, LAST - WINDOW) + yes(LAST - 1),
    "the edge below the last": yes(LAST) + no(LAST - WINDOW) + yes(LAST - WINDOW + 1),
    "from the first to the last": yes(1, LAST) + no(1, LAST),
    "up to the last in order": yes(*range(LAST - 30, LAST + 1)) + no(*range(LAST - 30, LAST + 1)),
    "a jump to the last from a ring below": yes(LAST - RING, LAST) + no(LAST - RING, LAST),
}


@BOTH
@pytest.mark.parametrize("name", CASES)
def test_cases(new: New, name: str) -> None:
    window = new()
    highest = received = 0
    for at, (sequence, accepted) in enumerate(CASES[name]):
        assert window.accept(sequence) is accepted, f"step {at}: {sequence}"
        if accepted:
            highest, received = max(highest, sequence), received + 1
        assert (window.highest, window.received) == (highest, received), f"step {at}: {sequence}"


def test_the_cases_follow_the_rule() -> None:
    """The table itself, against a window that is a set."""
    for name, steps in CASES.items():
        naive = Naive()
        assert [naive.accept(sequence) for sequence, _ in steps] == [a for _, a in steps], name


def test_the_window_is_as_large_as_promised() -> None:
    assert WINDOW >= 8192


def agree(new: New, sequences: list[int]) -> None:
    window, naive = new(), Naive()
    for sequence in sequences:
        assert window.accept(sequence) is naive.accept(sequence), sequence
        assert (window.highest, window.received) == (naive.highest, naive.received), sequence


@BOTH
@pytest.mark.parametrize(
    "top", [1, 7, 8, 9, WINDOW - 1, WINDOW, WINDOW + 1, RING, 3 * RING + 5, LAST - 3, LAST]
)
def test_edges_around_the_highest(new: New, top: int) -> None:
    """Each behind-by from none to beyond the window, asked twice (RFC 6479 section 2)."""
    behind = [0, 1, 6, 7, 8, 9, WINDOW - 9, WINDOW - 8, WINDOW - 7, WINDOW - 1, WINDOW, WINDOW + 1]
    behind += [RING - 1, RING, RING + 1]
    for distance in behind:
        if top - distance >= 0:
            agree(new, [top, top - distance, top - distance])


@BOTH
@pytest.mark.parametrize(
    "jump", [1, 2, 7, 8, 9, 16, WINDOW - 1, WINDOW, WINDOW + 1, RING - 8, RING, RING + 1, 9 * RING]
)
def test_after_a_jump_the_bits_passed_over_are_clear(new: New, jump: int) -> None:
    """Fill the whole ring, jump, and ask for everything that the window still covers."""
    window = new()
    for sequence in range(1, RING + 1):
        assert window.accept(sequence)
    top = RING + jump
    assert window.accept(top)
    for sequence in range(max(1, top - WINDOW - 20), top + 1):
        fresh = sequence > RING and sequence != top and sequence > top - WINDOW
        assert window.accept(sequence) is fresh, sequence


@BOTH
@settings(deadline=None)
@given(
    steps=st.lists(
        st.one_of(
            st.integers(-20, 20),
            st.integers(-RING - 10, RING + 10),
            st.sampled_from([-WINDOW - 1, -WINDOW, -WINDOW + 1, WINDOW, RING, 10 * RING]),
        ),
        max_size=80,
    ),
    start=st.sampled_from([1, 8, WINDOW, 2**33, 2**63, LAST - RING]),
)
def test_it_agrees_with_a_set(new: New, steps: list[int], start: int) -> None:
    window, naive = new(), Naive()
    for step in [0, *steps]:
        sequence = min(LAST, max(0, (naive.highest or start) + step))
        for _ in range(2):
            assert window.accept(sequence) is naive.accept(sequence)
            assert window.highest == naive.highest


@BOTH
def test_a_long_run_out_of_order_with_loss_and_repeats(new: New) -> None:
    chance = random.Random(6479)  # noqa: S311
    sequences: list[int] = []
    for base in range(1, 40_000):
        if chance.random() < 0.9:
            sequences.append(max(0, base - int(chance.paretovariate(0.6))))
        if chance.random() < 0.001:
            sequences.append(base + chance.randrange(3 * RING))
    agree(new, sequences)


@BOTH
def test_what_is_not_authentic_moves_no_window(new: New) -> None:
    """Through either codec: a wrong tag with a far number, then the right ones."""
    codec = load("c" if new is InC else "python")
    sealer = codec.sealer(KEY, 1)
    opener = codec.opener(KEY, 1, Owned([]), Check.SOURCE)
    frames = opening(codec)
    for sequence in (1, LAST - 1, WINDOW, 9 * RING):
        count_from(sealer, sequence - 1)
        forged = bytearray(sealer.control(Type.PROBE, bytes(24)))
        forged[-1] ^= 1
        opened = frames.open(opener, memoryview(forged), len(forged), 0, 0)
        assert opened.drops == (1, 0, 0, 0)
        assert (opener.highest(0), opener.received(0)) == (0, 0)
