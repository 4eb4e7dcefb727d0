from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from nrs.tunnel.loop import PacketLoop
from tests.tunnel.fakes import Clock


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def loop(clock: Clock) -> Iterator[PacketLoop]:
    loop = PacketLoop(clock)
    yield loop
    loop.close()


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
