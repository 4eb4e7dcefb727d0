from __future__ import annotations

import pytest

from nrs.endpoint.resend import RECEIVED_S, SENT_S, ResendRing

T0 = 1000.0
FRAME_BYTES = 10


def frames(*numbers: int) -> list[bytes]:
    return [bytes((number,)) * FRAME_BYTES for number in numbers]


def test_what_is_not_acknowledged_comes_back_in_order() -> None:
    ring = ResendRing()
    ring.keep(3, frames(1, 2), T0)
    ring.keep(4, frames(3), T0 + 0.01)
    ring.keep(9, frames(4), T0 + 0.02)
    ring.acknowledged(4, 4, T0 + 0.02)
    ring.keep(10, frames(5), T0 + 0.03)
    assert len(ring) == 2
    assert ring.take(T0 + 0.04, received=True) == frames(4, 5)
    assert ring.take(T0 + 0.04, received=True) == []


def test_an_acknowledgement_in_the_middle_of_an_entry_leaves_it() -> None:
    ring = ResendRing()
    ring.keep(5, frames(1, 2), T0)
    ring.acknowledged(4, 4, T0)
    assert ring.take(T0, received=False) == frames(1, 2)


@pytest.mark.parametrize("received", [False, True])
def test_what_was_received_but_not_confirmed_comes_back_where_it_is_asked_for(
    received: bool,
) -> None:
    ring = ResendRing()
    for number in range(1, 9):
        ring.keep(number, frames(number), T0 + number * 0.01)
    ring.acknowledged(6, 3, T0 + 0.09)
    assert ring.take(T0 + 0.1, received=received) == (
        frames(4, 5, 6, 7, 8) if received else frames(7, 8)
    )


def test_what_is_confirmed_later_does_not_come_back() -> None:
    ring = ResendRing()
    for number in range(1, 6):
        ring.keep(number, frames(number), T0)
    ring.acknowledged(5, 0, T0)
    ring.acknowledged(5, 2, T0)
    ring.acknowledged(5, 1, T0)
    assert ring.take(T0, received=True) == frames(3, 4, 5)


def test_what_is_too_old_is_not_sent_again() -> None:
    ring = ResendRing()
    ring.keep(1, frames(1), T0)
    ring.keep(2, frames(2), T0 + SENT_S / 2)
    assert ring.take(T0 + 1.2 * SENT_S, received=True) == frames(2)
    for number in (1, 2):
        ring.keep(number, frames(number), T0 + number / 2 * RECEIVED_S)
        ring.acknowledged(number, 0, T0 + number / 2 * RECEIVED_S)
    assert ring.take(T0 + 1.7 * RECEIVED_S, received=True) == frames(2)


@pytest.mark.parametrize(("every", "received"), [(SENT_S, False), (RECEIVED_S, True)])
def test_old_entries_make_room_as_new_ones_come(every: float, received: bool) -> None:
    ring = ResendRing()
    for number in range(1000):
        now = T0 + number * every / 10
        ring.keep(number, frames(number % 256), now)
        if received:
            ring.acknowledged(number, 0, now)
        assert len(ring) <= 12


@pytest.mark.parametrize("received", [False, True])
def test_the_oldest_go_when_there_are_too_many_bytes(received: bool) -> None:
    ring = ResendRing(most=int(3.5 * FRAME_BYTES))
    for number in range(5):
        ring.keep(number, frames(number), T0)
        if received:
            ring.acknowledged(number, -1, T0)
    assert ring.take(T0, received=received) == frames(2, 3, 4)
    ring.keep(9, frames(1, 2, 3, 4), T0)  # alone too much
    assert len(ring) == 0
    ring.keep(10, frames(5), T0)
    assert ring.take(T0, received=received) == frames(5)


def test_another_session_begins_with_an_empty_ring() -> None:
    ring = ResendRing()
    ring.keep(999_999, frames(1), T0)
    ring.keep(1_000_000, frames(1), T0)
    ring.acknowledged(999_999, 0, T0)
    ring.clear()
    ring.keep(1, frames(2), T0)
    ring.acknowledged(0, 0, T0)
    assert ring.take(T0, received=True) == frames(2)
