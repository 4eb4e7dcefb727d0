"""When the carrier is asked for, and what is told of it."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from nrs.router.carrier_watch import CarrierWatch

OFTEN_S = 0.001


class Link:
    """A link that answers as it is told to."""

    def __init__(self) -> None:
        self.carrier: bool | None = True
        self.busy = True
        self.asked = 0
        self.told: list[bool] = []
        self.heard = threading.Event()

    def ask(self) -> bool | None:
        self.asked += 1
        return self.carrier

    def changed(self, carrier: bool) -> None:
        self.told.append(carrier)
        self.heard.set()

    def watch(self, idle: float = OFTEN_S) -> CarrierWatch:
        return CarrierWatch(self.ask, lambda: self.busy, self.changed, OFTEN_S, idle)


@pytest.fixture
def link() -> Link:
    return Link()


def test_each_change_is_told_once(link: Link) -> None:
    watch = link.watch()
    for carrier in (True, False, False, True, True, False):
        link.carrier = carrier
        watch.look()
    assert link.told == [False, True, False]


def test_an_idle_router_asks_nothing(link: Link) -> None:
    link.busy = False
    link.watch().look()
    assert link.asked == 0


def test_an_idle_router_looks_seldom(link: Link) -> None:
    link.busy = False
    seldom = link.watch(idle=5.0)
    assert seldom.look() == 5.0
    link.busy = True
    assert seldom.look() == OFTEN_S
    link.busy, link.carrier = False, False
    assert seldom.look() == 5.0, "the link is taken to have its carrier"
    link.busy = True
    seldom.look()
    link.busy = False
    assert seldom.look() == OFTEN_S, "one that is lost is looked for"


def test_a_lost_carrier_is_asked_for_until_it_is_back(link: Link) -> None:
    """Nobody sends anything there meanwhile."""
    watch = link.watch()
    link.carrier = False
    watch.look()
    link.busy, link.carrier = False, True
    watch.look()
    assert link.told == [False, True]
    watch.look()
    assert link.asked == 2


def test_a_kernel_that_does_not_say_changes_nothing(link: Link) -> None:
    watch = link.watch()
    link.carrier = None
    watch.look()
    assert link.told == []


@pytest.fixture
def running(link: Link) -> Iterator[CarrierWatch]:
    watch = link.watch()
    watch.start()
    yield watch
    watch.stop()
    watch._thread.join(5)
    assert not watch._thread.is_alive()


def test_it_looks_by_itself(link: Link, running: CarrierWatch) -> None:
    link.carrier = False
    assert link.heard.wait(5)
    assert link.told == [False]


def test_once_stopped_it_tells_nothing(link: Link) -> None:
    watch = link.watch()
    link.carrier = False
    watch.stop()
    watch.look()
    assert link.told == []
