from __future__ import annotations

import pytest

from nrs.api.gate import Gate, Guest, Limits, Phase, source_of

ONE, OTHER = "192.0.2.1", "192.0.2.2"


class Door:
    """A gate whose owner closes what it is told to."""

    def __init__(self, **limits: float) -> None:
        self.gate: Gate[str] = Gate(Limits(**limits))  # type: ignore[arg-type]
        self.inside: dict[str, Guest[str]] = {}

    def open(self, key: str, address: str = ONE, now: float = 0.0) -> str | None:
        self.inside[key], leaving = self.gate.opened(key, address, now)
        return self._close(leaving)

    def verify(self, key: str, credential: str) -> str | None:
        return self._close(self.gate.verified(self.inside[key], credential))

    def _close(self, key: str | None) -> str | None:
        if key is not None:
            self.gate.closed(self.inside.pop(key))
        return key


@pytest.mark.parametrize(
    ("address", "source"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("fe80::1%eth0", "fe80::/64"),
    ],
)
def test_what_is_counted_together(address: str, source: str) -> None:
    assert source_of(address) == source


def test_the_oldest_incomplete_one_of_a_source_makes_room() -> None:
    door = Door(per_source=2)
    door.open("far", OTHER)
    door.open("busy")
    door.inside["busy"].becomes(Phase.BUSY, 0.0)
    assert door.open("silent") is None
    assert door.open("next") == "silent"
    assert set(door.inside) == {"far", "busy", "next"}


def test_of_all_strangers_together_too() -> None:
    door = Door(strangers=2)
    assert [door.open("a"), door.open("b", OTHER)] == [None, None]
    assert door.open("c", "192.0.2.3") == "a"


def test_the_only_one_that_arrives_stays_where_a_crowd_rests() -> None:
    door = Door(strangers=5)
    for key in "abcd":
        door.open(key)
        door.inside[key].becomes(Phase.IDLE, 0.0)
    assert door.open("honest", OTHER) is None
    assert door.open("e", "192.0.2.3") == "a"
    assert "honest" in door.inside
    assert door.gate.oldest_stranger() == "b"


def test_one_that_rests_leaves_where_none_is_incomplete() -> None:
    door = Door(per_source=2)
    for key, phase in (("a", Phase.BUSY), ("b", Phase.IDLE)):
        door.open(key)
        door.inside[key].becomes(phase, 0.0)
    assert door.open("c") == "b"


def test_who_comes_is_turned_away_where_all_are_being_answered() -> None:
    door = Door(per_source=1)
    door.open("a")
    door.inside["a"].becomes(Phase.BUSY, 0.0)
    assert door.open("b") == "b"
    assert set(door.inside) == {"a"}


def test_a_proved_credential_takes_no_place_of_its_neighbours() -> None:
    door = Door(per_source=1, strangers=1)
    for number in range(100):
        assert door.open(f"c{number}") is None
        assert door.verify(f"c{number}", f"endpoint_{number}") is None
    assert door.open("stranger") is None
    assert door.open("another") == "stranger"


def test_a_credential_has_its_own_cap_and_an_idle_connection_leaves_first() -> None:
    door = Door(per_credential=2)
    for key in "abcd":
        door.open(key)
    assert door.verify("a", "x") is None
    assert door.verify("b", "x") is None
    assert door.verify("b", "x") is None
    door.inside["b"].becomes(Phase.IDLE, 0.0)
    assert door.verify("c", "x") == "b"
    assert door.verify("d", "x") == "a"
    door.open("e")
    assert door.verify("e", "y") is None


def test_a_place_is_free_again_once_a_connection_is_closed() -> None:
    door = Door(per_source=1, per_credential=1)
    door.open("a")
    door._close("a")
    assert door.open("b") is None
    door.verify("b", "x")
    door._close("b")
    door.open("c")
    assert door.verify("c", "x") is None
    assert door.gate._sources == {}


@pytest.mark.parametrize(
    ("phase", "credential", "seconds"),
    [
        (Phase.ARRIVING, None, 5),
        (Phase.ARRIVING, "x", 5),
        (Phase.IDLE, None, 5),
        (Phase.IDLE, "x", 75),
        (Phase.SENDING, "x", 15),
    ],
)
def test_each_phase_has_its_time(phase: Phase, credential: str | None, seconds: float) -> None:
    door = Door()
    door.open("a")
    if credential is not None:
        door.verify("a", credential)
    door.inside["a"].becomes(phase, 100.0)
    assert door.gate.overdue(100.0 + seconds - 0.01) == []
    assert door.gate.overdue(100.0 + seconds) == ["a"]


def test_an_answer_has_the_time_that_its_size_takes() -> None:
    door = Door(sending_s=15.0, sending_bytes_s=1000)
    door.open("a")
    guest = door.inside["a"]
    guest.becomes(Phase.SENDING, 100.0)
    guest.taken += 5000
    assert door.gate.overdue(119.9) == []
    assert door.gate.overdue(120.0) == ["a"]
    guest.becomes(Phase.SENDING, 120.0)
    assert door.gate.overdue(135.0) == ["a"]


def test_one_that_is_being_answered_has_time() -> None:
    door = Door()
    door.open("a")
    door.inside["a"].becomes(Phase.BUSY, 0.0)
    assert door.gate.overdue(1e6) == []


def test_of_too_many_idle_ones_the_longest_idle_leave() -> None:
    door = Door(idle=2)
    for number, key in enumerate("abcd"):
        door.open(key)
        door.verify(key, key)
        door.inside[key].becomes(Phase.IDLE, 10.0 - number)
    assert sorted(door.gate.overdue(11.0)) == ["c", "d"]
