from __future__ import annotations

import time

from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from nrs.controller.allocation import Pool


@given(
    first=st.integers(0, 2**128 - 100),
    size=st.integers(1, 40),
    taken=st.sets(st.integers(-5, 50)),
)
def test_it_gives_the_lowest_address_that_is_not_taken(
    first: int, size: int, taken: set[int]
) -> None:
    pool = Pool(first, first + size - 1, {first + t for t in taken})
    free = [first + n for n in range(size) if n not in taken]
    assert pool.next_free() == (free[0] if free else None)


def test_asking_does_not_take() -> None:
    pool = Pool(5, 6)
    assert pool.next_free() == 5
    assert pool.next_free() == 5


def test_a_pool_of_one_address() -> None:
    pool = Pool(9, 9)
    assert pool.next_free() == 9
    pool.take(9)
    assert pool.next_free() is None


class PoolAgainstASet(RuleBasedStateMachine):
    """Whatever is taken and released, the pool agrees with plain sets."""

    LAST = 12

    @initialize(taken=st.sets(st.integers(-2, LAST + 2)))
    def open(self, taken: set[int]) -> None:
        self.pool = Pool(0, self.LAST, taken)
        self.taken = set(taken)

    @rule(address=st.integers(-2, LAST + 2))
    def take(self, address: int) -> None:
        self.pool.take(address)
        self.taken.add(address)

    @rule(address=st.integers(-2, LAST + 2))
    def release(self, address: int) -> None:
        self.pool.release(address)
        self.taken.discard(address)

    @rule()
    def take_the_next(self) -> None:
        address = self.pool.next_free()
        if address is not None:
            assert address not in self.taken
            self.take(address)

    @invariant()
    def agrees(self) -> None:
        free = set(range(self.LAST + 1)) - self.taken
        assert self.pool.next_free() == (min(free) if free else None)


TestPoolAgainstASet = PoolAgainstASet.TestCase


def test_filling_the_largest_usual_pool_takes_no_search_from_its_start() -> None:
    pool = Pool(1, 65535)
    began = time.process_time()
    for expected in range(1, 65536):
        assert pool.next_free() == expected
        pool.take(expected)
        # It takes a hundredth of this; with a search from the start, twenty times as long.
        assert time.process_time() - began < 5
    assert pool.next_free() is None
