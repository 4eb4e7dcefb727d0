"""What is put back when: a clock that the test turns."""

from __future__ import annotations

from collections.abc import Collection

from nrs.system.upkeep import Missing, Upkeep

ALL = ("a", "b", "c")


class Host:
    """Things that somebody takes away, and an upkeep that puts them back."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.there: set[str] = set()
        self.refuses: set[str] = set()
        self.upkeep: Upkeep[str] = Upkeep()
        self.told: list[list[str]] = []
        """Of what was refused."""

    def check(self, wanted: Collection[str] = ALL) -> Missing[str]:
        missing = self.upkeep.missing(wanted, self.there, self.now)
        refused = [thing for thing in missing.due if thing in self.refuses]
        done = [thing for thing in missing.due if thing not in self.refuses]
        self.there.update(done)
        self.upkeep.placed(done, self.now)
        self.told.append(self.upkeep.refused(refused, self.now))
        return missing

    def take(self, *things: str) -> Missing[str]:
        self.there.difference_update(things)
        return self.check()

    def wait(self, seconds: float) -> None:
        self.now += seconds


def test_what_was_never_there_is_not_put_back() -> None:
    host = Host()
    assert host.check() == Missing(list(ALL), list(ALL), [], [])
    assert host.check() == Missing([], [], [], [])
    assert host.upkeep.put_back == 0
    assert host.upkeep.next_due() is None


def test_what_an_earlier_process_has_left_counts_as_placed() -> None:
    host = Host()
    host.there = set(ALL)
    host.check()
    assert host.take("b").fresh == ["b"]
    assert host.upkeep.put_back == 1


def test_it_is_put_back_at_once_and_told_once_in_a_minute() -> None:
    host = Host()
    host.check()
    assert host.take("a", "b") == Missing(["a", "b"], ["a", "b"], ["a", "b"], [])
    host.wait(10)
    assert host.take("a").fresh == []
    assert host.there == set(ALL)
    host.wait(61)
    assert host.take("a").fresh == ["a"]
    assert host.upkeep.put_back == 4


def test_what_is_taken_five_times_in_a_minute_is_put_back_once_a_minute() -> None:
    host = Host()
    host.check()
    for _ in range(4):
        assert host.take("a").due == ["a"]
        host.wait(14)
    assert host.upkeep.problems == {}
    assert host.take("a") == Missing(["a"], [], [], ["a"])
    began = host.now
    assert host.upkeep.problems == {"a": began}
    assert host.upkeep.next_due() == began + 60
    host.wait(59)
    assert host.check().due == []
    host.wait(1)
    assert host.check().due == ["a"]
    assert host.upkeep.problems == {"a": began}  # it may be gone again in a moment
    host.wait(1)
    assert host.take("a") == Missing(["a"], [], ["a"], [])
    host.wait(60)
    assert host.check().due == ["a"]
    assert host.upkeep.next_due() == host.now + 60
    host.wait(60)
    host.check()
    assert host.upkeep.settled(host.now) == ["a"]
    assert host.upkeep.problems == {}
    assert host.upkeep.next_due() is None
    assert host.take("a").due == ["a"]


def test_what_somebody_puts_back_himself_is_not_tried_again() -> None:
    host = Host()
    host.check()
    for _ in range(5):
        host.take("a")
    assert host.upkeep.problems == {"a": host.now}
    put_back = host.upkeep.put_back
    host.wait(10)
    host.there.add("a")
    host.check()
    assert host.upkeep.next_due() == host.now + 60  # when it has stayed
    host.wait(60)
    host.check()
    assert host.upkeep.settled(host.now) == ["a"]
    assert host.upkeep.problems == {}
    assert host.upkeep.next_due() is None
    assert host.upkeep.put_back == put_back


def test_others_are_put_back_meanwhile() -> None:
    host = Host()
    host.check()
    for _ in range(5):
        host.take("a")
    assert host.take("b").due == ["b"]


def test_five_times_in_more_than_a_minute_is_not_too_often() -> None:
    host = Host()
    host.check()
    for _ in range(20):
        assert host.take("a").due == ["a"]
        host.wait(16)
    assert host.upkeep.problems == {}


def test_what_is_refused_is_tried_again_each_second_then_each_minute() -> None:
    host = Host()
    host.refuses = {"b"}
    host.check()
    assert host.told == [["b"]]
    assert host.upkeep.next_due() == host.now + 1
    for _ in range(3):
        host.wait(1)
        host.check()
        assert host.told[-1] == []
    assert host.upkeep.problems == {}
    host.wait(1)
    host.check()
    assert host.upkeep.problems == {"b": host.now}
    assert host.upkeep.next_due() == host.now + 60
    host.refuses = set()
    host.wait(60)
    host.check()
    host.wait(60)
    host.check()
    assert host.upkeep.settled(host.now) == ["b"]
    assert host.upkeep.put_back == 0


def test_what_is_not_wanted_any_more_is_forgotten() -> None:
    host = Host()
    host.check()
    for _ in range(5):
        host.take("a")
    assert host.check(("b",)) == Missing([], [], [], [])
    assert host.upkeep.problems == {}
    assert host.upkeep.next_due() is None
    assert host.check().due == ["a"]
