from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import cast

import pytest

from nrs.router.announcer import BUSY_S, Announcer
from nrs.router.session_table import DEAD_S, SessionTable
from nrs.tunnel.engine import Engine
from nrs.tunnel.loop import PacketLoop, Timer
from nrs.tunnel.session import Session
from nrs.tunnel.wire import RouterFlag, Type
from tests.router.test_session_table import claim, connect

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


class Sent:
    """An engine that takes a while for each datagram, and remembers it."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop
        self.flags: list[tuple[Session, int]] = []

    def send_control(
        self, session: Session, kind: Type, body: bytes = b"", *, flags: int = 0
    ) -> None:
        assert (kind, body) == (Type.ROLE, b"")
        self._loop.time += SEND_S
        self.flags.append((session, flags))


class Fixture:
    def __init__(self) -> None:
        self.loop = Loop()
        self.engine = Sent(self.loop)
        self.table = SessionTable()
        self.announcer = Announcer(
            cast(PacketLoop, self.loop), cast(Engine, self.engine), self.table
        )

    def endpoints(self, count: int, heard: float) -> list[Session]:
        first = sum(1 for _ in self.table)
        found = []
        for number in range(first, first + count):
            session = connect(self.table, claim(number % 250, name=f"endpoint_{number}"))
            session.last_received = heard
            found.append(session)
        return found

    def announce(self, flags: RouterFlag) -> None:
        self.loop.turn(lambda: self.announcer.announce(flags))


@pytest.fixture
def router() -> Fixture:
    return Fixture()


def test_those_with_traffic_are_told_first_and_the_dead_not_at_all(router: Fixture) -> None:
    now = router.loop.now
    idle = router.endpoints(3, heard=now - 1.1 * BUSY_S)
    busy = router.endpoints(3, heard=now - 0.9 * BUSY_S)
    router.endpoints(3, heard=now - DEAD_S)
    long_idle = router.endpoints(1, heard=now - 0.9 * DEAD_S)
    router.announce(RouterFlag.EGRESS_DOWN)
    router.loop.run()
    assert router.engine.flags == [(session, 2) for session in [*busy, *idle, *long_idle]]


@pytest.mark.parametrize("heard_s", [0.0, 10.0])
def test_thousands_are_told_a_few_at_a_time(router: Fixture, heard_s: float) -> None:
    busy = router.endpoints(10_000, heard=router.loop.now - heard_s)
    router.announce(RouterFlag.DRAINING)
    assert len(router.engine.flags) < 100
    router.loop.run()
    assert [session for session, _ in router.engine.flags] == busy
    assert router.loop.longest_turn < 0.0015


def test_a_newer_state_is_told_to_all_and_the_older_to_no_more(router: Fixture) -> None:
    busy = router.endpoints(200, heard=router.loop.now + 10)
    router.announce(RouterFlag.EGRESS_DOWN)
    told = len(router.engine.flags)
    router.announce(RouterFlag(0))
    router.loop.run()
    assert router.engine.flags[told:] == [(session, 0) for session in busy]
    assert {flags for _, flags in router.engine.flags[:told]} == {RouterFlag.EGRESS_DOWN}


def test_a_tunnel_that_is_gone_meanwhile_is_left_out(router: Fixture) -> None:
    busy = router.endpoints(200, heard=router.loop.now + 10)
    router.announce(RouterFlag.DRAINING)
    last = router.table.device(busy[-1])
    assert last is not None
    router.table.remove(last)
    router.loop.run()
    assert [session for session, _ in router.engine.flags] == busy[:-1]


def test_nothing_is_told_after_the_end(router: Fixture) -> None:
    router.endpoints(200, heard=router.loop.now + 10)
    router.announce(RouterFlag.DRAINING)
    told = len(router.engine.flags)
    router.announcer.close()
    router.loop.run()
    assert len(router.engine.flags) == told
