from __future__ import annotations

import pytest

from nrs.router.egress_link import EgressLink, Link
from nrs.system.link_changes import AddressGone, AddressIs, Anew, Event, LinkGone, LinkIs, Told

ADDRESS4, ADDRESS6 = b"\xc6\x33\x64\x01", b"\x20\x01" + bytes(14)
EGRESS = LinkIs(7, "eth1", up=True, running=True)
DOWN = LinkIs(7, "eth1", up=False, running=False)
NO_CARRIER = LinkIs(7, "eth1", up=True, running=False)
OTHER = LinkIs(8, "eth2", up=True, running=True)
HAS4, HAS6 = AddressIs(7, ADDRESS4, 24, True), AddressIs(7, ADDRESS6, 24, True)
START = [EGRESS, OTHER, HAS4, AddressIs(8, b"\x0a\0\0\1", 24, True), Told()]


@pytest.mark.parametrize(
    ("events", "state"),
    [
        ([], Link.READY),
        ([OTHER], Link.READY),
        ([OTHER, Told()], Link.MISSING),
        (START, Link.READY),
        ([*START, NO_CARRIER], Link.NO_CARRIER),
        ([*START, NO_CARRIER, EGRESS], Link.READY),
        ([*START, DOWN], Link.DOWN),
        ([*START, LinkIs(8, "eth2", up=False, running=False)], Link.READY),
        ([*START, LinkGone(8)], Link.READY),
        ([*START, LinkGone(7)], Link.MISSING),
        ([*START, LinkGone(7), LinkIs(9, "eth1", up=True, running=True)], Link.NO_ADDRESS),
        (
            [
                *START,
                LinkGone(7),
                LinkIs(9, "eth1", up=True, running=True),
                AddressIs(9, ADDRESS4, 24, True),
            ],
            Link.READY,
        ),
        ([*START, LinkIs(7, "renamed", up=True, running=True)], Link.MISSING),
        ([*START, AddressGone(7, ADDRESS4, 24)], Link.NO_ADDRESS),
        ([*START, HAS6, AddressGone(7, ADDRESS4, 24)], Link.READY),
        (
            [*START, HAS6, AddressGone(7, ADDRESS4, 24), AddressGone(7, ADDRESS6, 24)],
            Link.NO_ADDRESS,
        ),
        ([*START, AddressIs(7, ADDRESS4, 24, False)], Link.NO_ADDRESS),
        ([*START, AddressGone(7, ADDRESS4, 24), HAS4], Link.READY),
        ([*START, AddressIs(7, ADDRESS4, 25, True), AddressGone(7, ADDRESS4, 24)], Link.READY),
        (
            [*START, AddressIs(7, ADDRESS4, 25, False), AddressGone(7, ADDRESS4, 24)],
            Link.NO_ADDRESS,
        ),
        ([*START, AddressGone(8, b"\x0a\0\0\1", 24)], Link.READY),
        ([EGRESS, Told()], Link.READY),
        ([EGRESS, AddressIs(7, ADDRESS6, 24, False), Told()], Link.READY),
        ([*START, Anew()], Link.READY),
        ([*START, NO_CARRIER, Anew()], Link.NO_CARRIER),
        ([*START, NO_CARRIER, Anew(), EGRESS, HAS4], Link.NO_CARRIER),
        ([*START, NO_CARRIER, Anew(), EGRESS, HAS4, Told()], Link.READY),
        ([*START, Anew(), OTHER, Told()], Link.MISSING),
        ([*START, Anew(), EGRESS, Told()], Link.NO_ADDRESS),
    ],
)
def test_the_state_follows_the_events(events: list[Event], state: Link) -> None:
    link = EgressLink("eth1")
    for event in events:
        link.take(event)
    assert link.state is state


def test_the_index_is_that_of_the_name() -> None:
    link = EgressLink("eth1")
    assert link.index is None
    link.take(EGRESS)
    assert link.index == 7
    link.take(LinkGone(7))
    assert link.index is None
    link.take(LinkIs(9, "eth1", up=True, running=True))
    assert link.index == 9
