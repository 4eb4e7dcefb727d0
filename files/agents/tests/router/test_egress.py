from __future__ import annotations

import pytest

from nrs.router.egress import EgressHealth, Link, Reach

LOST = [link for link in Link if link is not Link.READY]


def health(checked: bool = True, misses: int = 3) -> EgressHealth:
    return EgressHealth(checked=checked, misses=misses)


def ticks(machine: EgressHealth, answers: str) -> str:
    """The state after each tick: `x` an answer, `.` none; `U` up, `d` down."""
    states = ""
    for answer in answers:
        before = machine.up
        assert machine.tick(answer == "x") is (machine.up != before)
        states += "U" if machine.up else "d"
    return states


@pytest.mark.parametrize(
    ("misses", "answers", "states"),
    [
        (3, "xxxx", "UUUU"),
        (3, "...", "UUd"),
        (3, "x...", "UUUd"),
        (3, "..x..x..", "UUUUUUUU"),
        (3, "....x", "UUddd"),
        (3, "...xx", "UUddU"),
        (3, "...x.xx", "UUddddU"),
        (3, "...xx..", "UUddUUU"),
        (3, "...xx...", "UUddUUUd"),
        (1, ".xx.", "ddUd"),
        (1, "x.", "Ud"),
    ],
)
def test_misses_in_a_row_and_answers_in_a_row(misses: int, answers: str, states: str) -> None:
    assert ticks(health(misses=misses), answers) == states


def test_it_begins_as_up_and_without_a_check_stays_so() -> None:
    assert health().up
    unchecked = health(checked=False)
    assert ticks(unchecked, "." * 20) == "U" * 20
    assert unchecked.reach is Reach.UNCHECKED


@pytest.mark.parametrize("link", LOST)
def test_a_link_counts_at_once_both_ways_where_nothing_is_asked(link: Link) -> None:
    machine = health(checked=False)
    assert machine.set_link(link)
    assert not machine.up
    assert not machine.set_link(link)
    assert machine.set_link(Link.READY)
    assert machine.up


@pytest.mark.parametrize("link", LOST)
def test_a_link_that_is_back_has_to_prove_itself(link: Link) -> None:
    machine = health()
    assert ticks(machine, "x..") == "UUU"
    assert machine.set_link(link)
    assert ticks(machine, "xx") == "dd"
    assert not machine.set_link(Link.READY) or machine.reach is Reach.REACHABLE
    machine.set_link(link)
    assert not machine.set_link(Link.READY)
    assert not machine.up
    assert ticks(machine, "x.xx") == "dddU"


def test_one_kind_of_lost_link_after_another_is_no_change() -> None:
    machine = health()
    assert machine.set_link(Link.NO_CARRIER)
    assert not machine.set_link(Link.DOWN)
    assert not machine.set_link(Link.MISSING)
