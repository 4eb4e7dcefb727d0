"""Trials of trains on paths that damage them, or only lose datagrams."""

from __future__ import annotations

import math
import random

import pytest

from nrs.endpoint.quality import Counts
from nrs.endpoint.train_way import COUNT
from nrs.endpoint.trains import Trains
from nrs.tunnel import wire
from nrs.tunnel.orders import SendControl, SendTogether
from nrs.tunnel.wire import Group, Type
from tests.endpoint.fakes import OLD, Endpoint
from tests.endpoint.test_machine import PSK

PATIENCE = 0.020
UP, DOWN = "up", "down"


class Path:
    """A path whose ends or cards damage what goes together; `serve` is called in time."""

    def __init__(self, *, loss: float = 0.0, seed: int = 1) -> None:
        self.now = 100.0
        self.trains = Trains()
        self.cut: set[str] = set()
        """Directions in which all but the first datagram of a train are lost."""
        self.joined: set[str] = set()
        """Directions in which that becomes of what a receiver joins, if it does."""
        self.whole: set[str] = set()
        """Directions in which the whole train is lost."""
        self.loss = loss
        self.busy = False
        self.trials = 0
        self.silent = False
        self.router_joins = True
        self._chance = random.Random(seed)  # noqa: S311 - chance that can be repeated

    def run(self, seconds: float) -> None:
        end = self.now + seconds
        while self.now < end:
            if self.trains.due(self.now, PATIENCE, busy=self.busy):
                self.trials += 1
                if not self.silent:
                    self._answer()
            due = self.trains.next_due(PATIENCE, busy=self.busy)
            self.now = min(end, max(due, self.now + 0.001))

    def _answer(self) -> None:
        number, trains = self.trains.trial, self.trains
        for group in Group:
            for index in range(COUNT):
                if self._arrives(UP, group, index, joined=self.router_joins) and self._lucky():
                    trains.answered(number, group, index)
                if self._arrives(DOWN, group, index, joined=trains.down.joins):
                    trains.arrived(number, group, index)

    def _arrives(self, way: str, group: Group, index: int, *, joined: bool) -> bool:
        if group is Group.TRAIN and (way in self.whole or (way in self.cut and index)):
            return False
        if group is not Group.APART and way in self.joined and joined and index:
            return False
        return self._lucky()

    def _lucky(self) -> bool:
        return self._chance.random() >= self.loss

    def suspect(self, received: int = 80) -> None:
        """Of 100 datagrams so many arrive."""
        self.trains.observe(Counts(0, 0, 0, 0), self.now)
        self.trains.observe(Counts(100, received, 100, 100), self.now + 0.11)

    def lose(self, way: str, share: float = 0.9) -> None:
        """Of 100 datagrams between one answered PROBE and the next this share."""
        self.trains.observe(Counts(0, 0, 0, 0), self.now)
        counts = {UP: 100, DOWN: 100, way: round(100 * (1 - share))}
        self.now += 0.01
        self.trains.observe(Counts(100, counts[UP], 100, counts[DOWN]), self.now)

    @property
    def single(self) -> list[str]:
        """Ways in which single datagrams are sent."""
        ways = {UP: self.trains.up, DOWN: self.trains.down}
        return [name for name, way in ways.items() if not way.sends_trains]

    @property
    def lost(self) -> list[str]:
        return list(self.trains.lost())


def test_a_path_that_is_well_is_tried_once() -> None:
    path = Path()
    path.run(3600)
    assert path.trials == 1
    assert path.lost == []
    assert path.trains.next_due(PATIENCE, busy=True) == math.inf


@pytest.mark.parametrize("damage", ["cut", "whole"])
def test_trains_that_do_not_arrive_are_not_sent_any_more(damage: str) -> None:
    path = Path()
    getattr(path, damage).add(UP)
    path.run(0.2)
    assert path.lost == ["trains that are sent to it"]
    path = Path()
    getattr(path, damage).add(DOWN)
    path.run(0.2)
    assert path.lost == ["trains that it sends"]
    assert path.trials == 3


def test_what_a_receiver_damages_as_it_joins_it_is_not_blamed_on_the_sender() -> None:
    path = Path()
    path.joined.add(DOWN)
    path.run(0.2)
    assert path.lost == ["what this host joins"]
    path = Path()
    path.joined.add(UP)
    path.run(0.2)
    assert path.lost == ["what it joins"]


def test_damage_that_begins_later_is_found_when_datagrams_are_lost() -> None:
    path = Path()
    path.busy = True
    path.run(5)
    path.cut = {UP, DOWN}
    path.run(5)
    assert path.lost == []
    path.suspect()
    path.run(0.3)
    assert path.lost == ["trains that are sent to it", "trains that it sends"]


def test_damage_after_a_trial_for_another_loss_does_not_wait_for_long() -> None:
    path = Path()
    path.busy = True
    path.run(5)
    path.suspect()
    path.run(0.4)
    assert (path.trials, path.lost) == (2, [])
    path.cut = {UP}
    path.suspect(received=50)
    path.run(0.7)
    assert path.lost == ["trains that are sent to it"]


@pytest.mark.parametrize(("way", "lost"), [(UP, "are sent to it"), (DOWN, "it sends")])
def test_single_datagrams_go_as_soon_as_most_are_lost(way: str, lost: str) -> None:
    path = Path()
    path.busy = True
    path.run(5)
    path.cut = {way}
    path.lose(way)
    path.run(0.001)
    assert (path.single, path.lost) == ([way], [])
    path.run(0.2)
    assert path.single == [way]
    assert [lost in text for text in path.lost] == [True]


def test_a_trial_for_a_little_loss_keeps_nobody_from_a_suspicion() -> None:
    path = Path()
    path.busy = True
    path.run(5)
    path.suspect()
    path.run(0.1)
    assert (path.trials, path.single) == (2, [])
    path.lose(UP)
    path.run(0.001)
    assert (path.trials, path.single) == (3, [UP])


def test_a_wrong_suspicion_ends_with_its_trial() -> None:
    path = Path()
    path.busy = True
    path.run(5)
    path.lose(DOWN)
    path.run(0.001)
    assert path.single == [DOWN]
    path.run(0.05)
    assert (path.single, path.trials) == ([], 2)


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_suspicion_of_a_path_that_falls_silent_ends(interrupted: bool) -> None:
    path = Path()
    path.busy = True
    path.run(5)
    path.silent = True
    path.lose(UP)
    path.run(0.001)
    assert path.single == [UP]
    if interrupted:
        path.trains.interrupt()
    else:
        path.run(0.1)
    assert path.single == []


def test_the_first_trial_that_fails_is_a_suspicion() -> None:
    path = Path()
    path.cut = {UP}
    while path.trials < 2:
        path.run(0.001)
    assert (path.single, path.lost) == ([UP], [])


def test_wrong_suspicions_take_little_of_the_time() -> None:
    """A queue that is too short for trains loses most of each, as long as there is traffic."""
    path = Path(loss=0.2)
    path.busy = True
    path.run(5)
    single = 0
    for _ in range(3000):
        path.lose(UP, 0.6)
        path.run(0.01)
        single += bool(path.single)
    assert path.lost == []
    assert 0 < single < 0.05 * 3000
    path.run(10)
    path.lose(UP)
    path.run(0.4)
    assert path.single == []
    path.cut = {UP}
    path.lose(UP)
    path.run(0.001)
    assert path.single == [UP], "there was calm"


def test_little_loss_or_few_datagrams_ask_for_nothing() -> None:
    path = Path()
    path.busy = True
    path.run(5)
    path.trains.observe(Counts(0, 0, 0, 0), path.now)
    path.trains.observe(Counts(100, 95, 9, 0), path.now + 0.11)
    path.run(5)
    assert path.trials == 1


def test_loss_asks_for_a_trial_in_two_seconds_at_most() -> None:
    path = Path()
    path.busy = True
    path.run(5)
    for _ in range(100):
        path.suspect()
        path.run(0.1)
    assert path.trials <= 7


def test_it_is_tried_again_ever_more_seldom() -> None:
    path = Path()
    path.busy = True
    path.cut = {UP}
    path.run(1)
    found = path.trials
    path.run(59)
    assert path.trials == found
    path.run(2)
    assert path.trials > found
    path.run(24 * 3600)
    assert path.trials <= 40
    assert path.lost == ["trains that are sent to it"]


@pytest.mark.parametrize("damage", ["cut", "joined"])
def test_what_is_well_again_is_used_again(damage: str) -> None:
    path = Path()
    path.busy = True
    getattr(path, damage).update({UP, DOWN})
    path.run(1)
    assert len(path.lost) == 2
    getattr(path, damage).clear()
    path.run(70)
    assert path.lost == []


def test_an_idle_tunnel_tries_nothing_again() -> None:
    path = Path()
    path.cut = {UP}
    path.run(1)
    found = path.trials
    path.run(3600)
    assert path.trials == found


def test_a_silent_path_says_nothing() -> None:
    path = Path()
    path.silent = True
    path.run(10)
    assert path.lost == []
    assert path.trials <= 6
    path.silent = False
    path.cut = {DOWN}
    path.run(3)
    assert path.lost == ["trains that it sends"]


def test_what_was_lost_by_chance_is_no_lie() -> None:
    """Thousands of trials, as if an hour of loss had asked for each that it may ask for."""
    path = Path(loss=0.05, seed=7)
    path.busy = True
    for _ in range(20_000):
        path.suspect()
        path.run(0.5)
        assert path.lost == []
    assert path.trials > 3000


def test_answers_of_another_trial_count_for_nothing() -> None:
    trains = Trains()
    assert trains.due(0.0, PATIENCE, busy=False)
    for index in range(COUNT + 2):
        for group in Group:
            trains.answered(trains.trial + 1, group, index)
            trains.arrived(trains.trial, group, index)
    assert not trains.due(0.03, PATIENCE, busy=False)
    assert list(trains.lost()) == []


def test_an_endpoint_that_was_held_up_reads_what_has_come() -> None:
    path = Path()
    path.busy = True
    assert path.trains.due(path.now, PATIENCE, busy=True)
    assert not path.trains.due(path.now + 5, PATIENCE, busy=True)
    path._answer()
    assert not path.trains.due(path.now + 5.011, PATIENCE, busy=True)
    assert path.lost == []
    assert path.trains.next_due(PATIENCE, busy=True) == math.inf


def test_another_path_begins_anew() -> None:
    path = Path()
    path.cut = {UP}
    path.run(1)
    path.trains.restart()
    assert path.lost == []
    path.cut = set()
    path.run(1)
    assert path.lost == []


@pytest.mark.parametrize("interrupted", [False, True])
def test_a_trial_without_an_answer_is_made_again(interrupted: bool) -> None:
    path = Path()
    path.busy = True
    path.cut = {UP}
    path.run(1)
    found = path.trials
    path.silent = True
    while path.trials == found:
        path.run(0.001)
    if interrupted:
        path.trains.interrupt()
    path.run(10)
    assert path.trials <= found + 6, "it waits before it asks again"
    path.silent, path.cut = False, set()
    path.run(3)
    assert path.lost == []


def test_what_a_trial_loses_itself_asks_for_no_other_one() -> None:
    path = Path()
    path.busy = True
    path.cut = {UP}
    path.run(1)
    found = path.trials
    path.trains.observe(Counts(100, 100, 100, 100), path.now)
    while path.trials == found:
        path.run(0.001)
    path.run(0.1)
    path.trains.observe(Counts(118, 113, 118, 118), path.now)
    path.run(0.2)
    path.trains.observe(Counts(218, 213, 218, 218), path.now)
    path.run(30)
    assert path.trials == found + 1


def test_what_is_only_tried_again_does_not_count_as_well() -> None:
    """It is joined as long as a trial goes on, and no longer."""
    path = Path()
    path.busy = True
    path.joined = {DOWN}
    path.run(1)
    found, tried = path.trials, 0.0
    for _ in range(200_000):
        path.run(0.001)
        tried += 0.001 * path.trains.down.joins
        assert path.lost == ["what this host joins"]
    assert 0 < tried < 0.1 * (path.trials - found)


@pytest.mark.parametrize(("way", "together", "flags"), [(UP, [False], 0), (DOWN, [], 4)])
def test_who_sends_is_told_of_a_suspicion_and_of_its_end_at_once(
    way: str, together: list[bool], flags: int
) -> None:
    endpoint = Endpoint(psk=PSK)
    assert endpoint.answer({0: OLD}) is None
    endpoint.wait(1)
    path = Path()
    path.trains, path.now = endpoint.tunnel.carrying.trains, endpoint.now

    def told() -> tuple[list[bool], list[int]]:
        orders = endpoint.tunnel.due(path.now, busy=False, active=False, judge=False)
        asked = [one for one in orders if isinstance(one, SendControl) and one.kind is Type.PROBE]
        return (
            [one.allowed for one in orders if isinstance(one, SendTogether)],
            [one.flags & wire.NO_TRAINS for one in asked],
        )

    path.cut = {way}
    while path.trials < 2:
        path.run(0.001)
    assert told() == (together, [flags] if flags else [])
    assert told() == ([], [])
    path.cut = set()
    path.run(0.1)
    assert told() == ([not one for one in together], [0] if flags else [])
    assert path.lost == []


def test_another_path_says_nothing_before_it_was_tried() -> None:
    endpoint = Endpoint(psk=PSK)
    assert endpoint.answer({0: OLD}) is None
    endpoint.wait(1)
    path = Path()
    path.trains, path.now = endpoint.tunnel.carrying.trains, endpoint.now
    path.cut = {UP}
    path.run(1)
    endpoint.serve()
    assert [text for _, text in endpoint.told if "one by one" in text]
    endpoint.machine.handle_connected("r1", 4, again=True)
    endpoint.serve()
    assert not [text for _, text in endpoint.told if "arrive again" in text]
    endpoint.wait(1)
    path.now, path.cut = endpoint.now, set()
    path.run(1)
    endpoint.serve()
    assert endpoint.told[-1][1] == "arrive again on the path to r1: trains that are sent to it"
