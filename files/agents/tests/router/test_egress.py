from __future__ import annotations

import ipaddress

import pytest

from nrs.router.config import Egress
from nrs.router.delivery import Echoes
from nrs.router.egress import EgressHealth, Link, Reach
from nrs.system.link_changes import AddressGone, AddressIs, Event, LinkGone, LinkIs, Told

ADDRESS = (7, b"\xc6\x33\x64\x01", 24)
READY = LinkIs(7, "eth1", up=True, running=True)
START: list[Event] = [READY, AddressIs(*ADDRESS, True), Told()]
LOST: dict[Link, Event] = {
    Link.MISSING: LinkGone(7),
    Link.DOWN: LinkIs(7, "eth1", up=False, running=False),
    Link.NO_CARRIER: LinkIs(7, "eth1", up=True, running=False),
    Link.NO_ADDRESS: AddressGone(*ADDRESS),
}
SERVER, OTHER = ipaddress.ip_address("198.51.100.10"), ipaddress.ip_address("198.51.100.11")
each_loss = pytest.mark.parametrize("link", LOST, ids=lambda link: link.name)


def health(checked: bool = True, misses: int = 3) -> EgressHealth:
    check = Egress(check_ip=SERVER if checked else None, check_misses=misses)
    return EgressHealth("eth1", check, START)


def bring_back(machine: EgressHealth) -> None:
    for event in START:
        machine.handle_link(event)


def ticks(machine: EgressHealth, answers: str) -> str:
    """The state after each tick: `x` an answer, `.` none; `U` up, `d` down."""
    states = ""
    for answer in answers:
        if answer == "x":
            machine.handle_answer(1)
        machine.tick()
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
    assert unchecked.echoes is None


@each_loss
def test_a_link_counts_at_once_both_ways_where_nothing_is_asked(link: Link) -> None:
    machine = health(checked=False)
    machine.handle_link(LOST[link])
    assert not machine.up
    assert machine.link is link
    assert machine.reason == f"eth1 {link.value}"
    bring_back(machine)
    assert machine.up
    assert machine.reason is None


@each_loss
def test_a_link_that_is_back_has_to_prove_itself(link: Link) -> None:
    machine = health()
    assert ticks(machine, "x..") == "UUU"
    machine.handle_link(LOST[link])
    assert ticks(machine, "x") == "d"
    bring_back(machine)
    assert not machine.up
    assert machine.reason == "198.51.100.10 does not answer through eth1"
    assert ticks(machine, ".x.xx") == "ddddU"


def test_a_lost_carrier_that_the_kernel_has_not_told_of_counts_too() -> None:
    machine = health(checked=False)
    machine.handle_carrier(False)
    assert (machine.up, machine.link) == (False, Link.NO_CARRIER)
    machine.handle_link(LOST[Link.DOWN])
    assert machine.link is Link.DOWN
    bring_back(machine)
    assert machine.link is Link.NO_CARRIER
    machine.handle_carrier(True)
    assert machine.up
    checked = health()
    checked.handle_carrier(False)
    checked.handle_carrier(True)
    assert ticks(checked, "xx") == "dU"


def test_echoes_are_numbered_and_sent_over_a_link_that_is_ready() -> None:
    machine = health()
    assert [machine.ask() for _ in range(3)] == [1, 2, 3]
    machine.handle_answer(2)
    machine.handle_answer(1)
    assert machine.echoes == Echoes(3, 2)
    machine.handle_link(LOST[Link.DOWN])
    assert machine.ask() is None
    assert machine.echoes == Echoes(3, 2)


def test_another_interval_does_not_make_the_business_server_answer() -> None:
    machine = health(misses=1)
    assert ticks(machine, ".") == "d"
    machine.handle_config("eth1", Egress(check_ip=SERVER, check_misses=5), ())
    assert not machine.up
    machine.handle_config("eth1", Egress(check_ip=OTHER), ())
    assert machine.up
    assert ticks(machine, "...") == "UUd"
    machine.handle_config("eth1", Egress(), ())
    assert machine.up


def test_an_answer_before_the_reload_does_not_count_after_it() -> None:
    machine = health(misses=1)
    machine.handle_answer(1)
    machine.handle_config("eth1", Egress(check_ip=OTHER, check_misses=1), ())
    assert ticks(machine, ".") == "d"


def test_what_is_known_of_the_same_interface_outlives_a_reload() -> None:
    machine = health(checked=False)
    machine.handle_link(LOST[Link.DOWN])
    machine.handle_config("eth1", Egress(check_ip=SERVER), ())
    assert (machine.link, machine.reach) == (Link.DOWN, Reach.UNREACHABLE)


def test_another_interface_is_known_by_what_is_told_of_it() -> None:
    machine = health(misses=1)
    machine.handle_carrier(False)
    other: list[Event] = [READY, LinkIs(9, "eth9", up=True, running=True), Told()]
    machine.handle_config("eth9", Egress(check_ip=SERVER, check_misses=1), other)
    assert (machine.up, machine.index) == (True, 9)
    machine.handle_config("eth8", Egress(), other)
    assert machine.reason == "eth8 is not there"
