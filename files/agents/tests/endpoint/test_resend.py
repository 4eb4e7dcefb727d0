from __future__ import annotations

from nrs.endpoint.resend import KEPT_S, ResendRing

T0 = 1000.0


def frames(*numbers: int) -> list[bytes]:
    return [bytes((number,)) * 10 for number in numbers]


def test_what_is_not_acknowledged_comes_back_in_order() -> None:
    ring = ResendRing()
    ring.keep(3, frames(1, 2), T0)
    ring.keep(4, frames(3), T0 + 0.01)
    ring.keep(9, frames(4), T0 + 0.02)
    ring.acknowledged(4)
    ring.keep(10, frames(5), T0 + 0.03)
    assert len(ring) == 2
    assert ring.take(T0 + 0.04) == frames(4, 5)
    assert ring.take(T0 + 0.04) == []


def test_an_acknowledgement_in_the_middle_of_an_entry_leaves_it() -> None:
    ring = ResendRing()
    ring.keep(5, frames(1, 2), T0)
    ring.acknowledged(4)
    assert ring.take(T0) == frames(1, 2)


def test_what_is_too_old_is_not_sent_again() -> None:
    ring = ResendRing()
    ring.keep(1, frames(1), T0)
    ring.keep(2, frames(2), T0 + KEPT_S / 2)
    assert ring.take(T0 + 1.2 * KEPT_S) == frames(2)


def test_old_entries_make_room_as_new_ones_come() -> None:
    ring = ResendRing()
    for number in range(1000):
        ring.keep(number, frames(number % 256), T0 + number * 0.01)
        assert len(ring) <= KEPT_S / 0.01 + 2


def test_the_oldest_go_when_there_are_too_many_bytes() -> None:
    ring = ResendRing(most=35)
    for number in range(5):
        ring.keep(number, frames(number), T0)
    assert ring.take(T0) == frames(2, 3, 4)
    ring.keep(9, frames(1, 2, 3, 4), T0)  # alone too much
    assert len(ring) == 0
    ring.keep(10, frames(5), T0)
    assert ring.take(T0) == frames(5)


def test_another_session_begins_with_an_empty_ring() -> None:
    ring = ResendRing()
    ring.keep(1_000_000, frames(1), T0)
    ring.clear()
    ring.keep(1, frames(2), T0)
    ring.acknowledged(0)
    assert ring.take(T0) == frames(2)
