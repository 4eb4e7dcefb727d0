from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from nrs.tunnel.loop import PacketLoop
from tests.tunnel.fakes import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


class Waited:
    """What the kernel says of the thread: how long it has waited for a processor, in seconds."""

    def __init__(self) -> None:
        self.seconds = 100.0
        self.asked = 0

    def __call__(self) -> float:
        self.asked += 1
        return self.seconds


@pytest.fixture
def waited() -> Waited:
    return Waited()


@pytest.fixture
def loop(clock: Clock, waited: Waited) -> Iterator[PacketLoop]:
    loop = PacketLoop(clock, waited)
    yield loop
    loop.close()


class Turns:
    """Turns of the loop that take as long as stated, in ms."""

    def __init__(self, loop: PacketLoop, clock: Clock, waited: Waited) -> None:
        self._loop, self._clock, self._waited = loop, clock, waited

    def turn(self, works: float, waits: float = 0.0) -> tuple[float, float]:
        """The longest turn and the longest wait until then."""
        self._loop.call_at(self._clock.now, lambda: self.pass_by(works, waits))
        self._loop.turn()
        return self._loop.longest_turn_s * 1e3, self._loop.longest_wait_s * 1e3

    def pass_by(self, works: float, waits: float = 0.0) -> None:
        self._clock.now += (works + waits) / 1e3
        self._waited.seconds += waits / 1e3


@pytest.fixture
def turns(loop: PacketLoop, clock: Clock, waited: Waited) -> Turns:
    return Turns(loop, clock, waited)


def test_waiting_for_a_processor_is_no_work(turns: Turns) -> None:
    assert turns.turn(2, 20) == pytest.approx((2, 20))
    assert turns.turn(3, 10) == pytest.approx((3, 20))
    assert turns.turn(1, 30) == pytest.approx((3, 30))
    assert turns.turn(50) == pytest.approx((50, 30))


def test_waiting_between_two_turns_counts_for_neither(turns: Turns) -> None:
    turns.pass_by(0, 200)
    assert turns.turn(4) == pytest.approx((4, 0))
    turns.pass_by(10, 200)
    assert turns.turn(5, 1) == pytest.approx((5, 1))


def test_a_turn_is_taken_for_a_millisecond_shorter_at_most(turns: Turns) -> None:
    turns.turn(2)
    turns.pass_by(0.1, 0.8)
    longest, _ = turns.turn(9)
    assert 8 <= longest <= 9


def test_short_turns_are_not_asked_about(turns: Turns, waited: Waited) -> None:
    turns.turn(0.5)
    asked = waited.asked
    for _ in range(1000):
        turns.turn(0.01)
    assert waited.asked - asked <= 11
    assert turns.turn(0.6) == pytest.approx((0.6, 0))


def test_a_kernel_that_does_not_say_leaves_it_all_to_work(turns: Turns) -> None:
    turns.pass_by(5)
    assert turns.turn(7) == pytest.approx((7, 0))


def test_timers_run_in_order_and_cancelled_ones_not(loop: PacketLoop, clock: Clock) -> None:
    ran: list[str] = []
    loop.call_at(clock.now - 1, lambda: ran.append("second"))
    loop.call_at(clock.now - 2, lambda: ran.append("first"))
    loop.call_at(clock.now - 1.5, lambda: ran.append("cancelled")).cancel()
    loop.call_at(clock.now + 1, lambda: ran.append("later"))
    loop.wake(lambda: ran.append("woken"))
    loop.turn()
    assert ran == ["woken", "first", "second"]
    clock.now += 1
    loop.turn()
    assert ran[-1] == "later"


def test_the_longest_turn_counts_readers_and_timers(loop: PacketLoop, clock: Clock) -> None:
    def take(seconds: float) -> None:
        clock.now += seconds

    loop.call_at(clock.now, lambda: take(0.25))
    loop.turn()
    assert loop.longest_turn_s == pytest.approx(0.25)
    reader, writer = os.pipe()
    try:
        os.write(writer, b"x")
        loop.add_reader(reader, lambda: (take(0.5), os.read(reader, 1)))
        loop.call_at(clock.now, lambda: take(0.25))
        loop.turn()
        assert loop.longest_turn_s == pytest.approx(0.75)
        loop.remove_reader(reader)
    finally:
        os.close(reader)
        os.close(writer)


def test_now_is_the_time_of_the_turn(loop: PacketLoop, clock: Clock) -> None:
    seen: list[float] = []
    clock.now += 3
    loop.wake(lambda: seen.append(loop.now))
    loop.turn()
    assert seen == [clock.now]
