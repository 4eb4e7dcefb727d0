"""Who is told of another state, in which order, and how many in one turn of the loop."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import cast

import pytest

from nrs.router.announcement import BUSY_S, Announcement
from nrs.router.announcer import Announcer
from nrs.router.session_table import DEAD_S
from nrs.tunnel.loop import PacketLoop, Timer
from tests.router.test_session_table import Table, claim, connect

SEND_S = 20e-6


class Loop:
    """Time passes by what is done in it; each timer is a turn."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.time = self.now
        self.longest_turn = 0.0
        self._timers: list[tuple[float, int, Timer]] = []

    def clock(self) -> float:
        return self.time

    def call_later(self, delay: float, callback: Callable[[], object]) -> Timer:
        timer = Timer(self.time + delay, callback)
        heapq.heappush(self._timers, (timer.when, id(timer), timer))
        return timer

    def turn(self, work: Callable[[], object]) -> None:
        self.now = self.time
        work()
        self.longest_turn = max(self.longest_turn, self.time - self.now)

    def run(self) -> None:
        while self._timers:
            callback = heapq.heappop(self._timers)[2].callback
            if callback is not None:
                self.turn(callback)


class Fixture:
    """Telling somebody takes a while."""

    def __init__(self) -> None:
        self.loop = Loop()
        self.table = Table()
        self.announcement = Announcement()
        self.announcer = Announcer(cast(PacketLoop, self.loop), self._tell_next)
        self.told: list[int] = []

    def _tell_next(self) -> bool:
        if self.announcement.over:
            return False
        index = self.announcement.next(self.loop.now, self.table.heard)
        if index:
            self.loop.time += SEND_S
            self.told.append(index)
        return True

    def endpoints(self, count: int, heard: float) -> list[int]:
        first = sum(1 for _ in self.table)
        found = []
        for number in range(first, first + count):
            session = connect(self.table, claim(number % 250, name=f"endpoint_{number}"))
            self.table.heard[session].last_received = heard
            found.append(session)
        return found

    def announce(self) -> None:
        self.announcement = Announcement(self.table)
        self.loop.turn(self.announcer.begin)


@pytest.fixture
def router() -> Fixture:
    return Fixture()


def test_those_with_traffic_are_told_first_and_the_dead_not_at_all(router: Fixture) -> None:
    now = router.loop.now
    idle = router.endpoints(3, heard=now - 1.1 * BUSY_S)
    busy = router.endpoints(3, heard=now - 0.9 * BUSY_S)
    router.endpoints(3, heard=now - DEAD_S)
    long_idle = router.endpoints(1, heard=now - 0.9 * DEAD_S)
    router.announce()
    router.loop.run()
    assert router.told == [*busy, *idle, *long_idle]


@pytest.mark.parametrize("heard_s", [0.0, 10.0])
def test_thousands_are_told_a_few_at_a_time(router: Fixture, heard_s: float) -> None:
    busy = router.endpoints(10_000, heard=router.loop.now - heard_s)
    router.announce()
    assert len(router.told) < 100
    router.loop.run()
    assert router.told == busy
    assert router.loop.longest_turn < 0.0015


def test_a_newer_state_is_told_to_all_and_the_older_to_no_more(router: Fixture) -> None:
    busy = router.endpoints(200, heard=router.loop.now + 10)
    router.announce()
    told = len(router.told)
    assert told < len(busy)
    router.announce()
    router.loop.run()
    assert router.told[told:] == busy


def test_a_tunnel_that_is_gone_meanwhile_is_left_out(router: Fixture) -> None:
    busy = router.endpoints(200, heard=router.loop.now + 10)
    router.announce()
    router.table.remove(router.table.of(busy[-1]))
    router.loop.run()
    assert router.told == busy[:-1]


def test_a_session_that_is_renewed_meanwhile_is_told_through_the_new_one(router: Fixture) -> None:
    busy = router.endpoints(200, heard=router.loop.now + 10)
    router.announce()
    renewed = connect(router.table, router.table.of(busy[-1]).claim, now=router.loop.now)
    router.loop.run()
    assert router.told == [*busy[:-1], renewed]


def test_nothing_is_told_after_the_end(router: Fixture) -> None:
    router.endpoints(200, heard=router.loop.now + 10)
    router.announce()
    told = len(router.told)
    router.announcer.close()
    router.loop.run()
    assert len(router.told) == told
