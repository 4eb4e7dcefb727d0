from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from nrs.tunnel.slots import Slots


def test_each_is_taken_once_and_those_given_back_first() -> None:
    slots = Slots(3)
    assert [slots.take() for _ in range(4)] == [0, 1, 2, None]
    slots.give_back(1)
    assert [slots.take(), slots.take()] == [1, None]


def test_what_is_used_is_not_taken() -> None:
    slots = Slots(5, used=[1, 3])
    assert [slots.take() for _ in range(4)] == [0, 2, 4, None]


@given(st.sets(st.integers(0, 9)), st.lists(st.booleans(), max_size=40))
def test_no_two_hold_the_same(used: set[int], steps: list[bool]) -> None:
    slots, held = Slots(10, used), sorted(used)
    for take in steps:
        if take:
            number = slots.take()
            assert (number is None) == (len(held) == 10)
            if number is not None:
                assert number not in held
                held.append(number)
        elif held:
            slots.give_back(held.pop(0))
