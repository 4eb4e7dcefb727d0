"""What a router does about trains: it answers trials, and listens to what endpoints find out."""

from __future__ import annotations

import pytest

from nrs.router.orders import JoinAt
from nrs.tunnel import wire
from nrs.tunnel.orders import SendControl, SendTogether, SendTrain
from nrs.tunnel.wire import Group, Member, Probe, Type
from tests.router.driven import CLAIM, ELSEWHERE, Router, config, shared

BODY = 600


@pytest.fixture
def router() -> Router:
    return Router(config(endpoint_networks=["10.0.0.0/8", "fd00::/8"]))


def hear(router: Router, session: int, group: Group, trial: int, index: int = 0) -> list[object]:
    """What is ordered about one datagram of a trial."""
    specific = Member(trial, index, 6).encode()
    more = index if group is Group.APART else 0
    before = len(router.said), len(router.others)
    router.control(session, Type.TRAIN, body=bytes(BODY + more), flags=group, specific=specific)
    return [*router.said[before[0] :], *router.others[before[1] :]]


def test_each_datagram_is_answered_and_the_first_with_as_many(router: Router) -> None:
    session = router.open(shared())
    first = hear(router, session, Group.APART, 1, 2)
    answer, singles, (train,) = first[0], first[1:-1], first[-1:]
    assert isinstance(answer, SendControl)
    assert (answer.kind, answer.flags, answer.body) == (Type.TRAIN_ACK, Group.APART, b"")
    assert answer.specific == Member(1, 2, 6).encode()
    assert [one.flags for one in singles] == [0] * 6 + [1] * 6  # type: ignore[attr-defined]
    assert isinstance(train, SendTrain)
    assert [one.flags for one in train.datagrams] == [2] * 6
    assert {len(one.body) for one in train.datagrams} == {BODY}
    for group in Group:
        assert len(hear(router, session, group, 1, 3)) == 1, "they were sent"


def test_trials_in_a_hurry_are_not_answered_with_groups(router: Router) -> None:
    session = router.open(shared())
    assert len(hear(router, session, Group.ROW, 1)) > 1
    router.now += 0.020
    assert len(hear(router, session, Group.ROW, 2)) == 1
    router.now += 0.020
    assert len(hear(router, session, Group.ROW, 3)) > 1


def probe(
    router: Router, session: int, sequence: int, flags: int = 0, port: int = 51820
) -> list[object]:
    before = len(router.others)
    body = Probe(1, 1452).encode()
    router.control(session, Type.PROBE, sequence, body=body, flags=flags, port=port)
    return router.others[before:]


def test_a_session_goes_by_what_its_endpoint_says_last(router: Router) -> None:
    session = router.open(shared())
    assert probe(router, session, 1) == []
    assert probe(router, session, 2, wire.NO_TRAINS) == [SendTogether(session, False)]
    assert probe(router, session, 3, wire.NO_TRAINS) == []
    assert probe(router, session, 5) == [SendTogether(session, True)]
    assert probe(router, session, 4, wire.NO_TRAINS) == [], "it was overtaken"


def test_the_socket_of_a_port_stops_joining_when_several_say_so_and_tries_again_later(
    router: Router,
) -> None:
    one, two = router.open(shared(), CLAIM), router.open(shared(), ELSEWHERE)
    assert probe(router, one, 1, wire.JOINED_BADLY) == []
    assert probe(router, one, 2, wire.JOINED_BADLY) == []
    assert probe(router, two, 1, wire.JOINED_BADLY, 443) == [], "alone at that port"
    assert probe(router, two, 2, wire.JOINED_BADLY) == [JoinAt(51820, False)]
    assert "port 51820 joins is damaged" in router.told[-1].text

    def later(seconds: float) -> list[object]:
        router.now += seconds
        for heard in router.sessions.values():
            heard.last_received = router.now
        before = len(router.others)
        router.take(router.machine.due(router.now, router.sessions))
        return router.others[before:]

    assert later(599) == []
    assert later(2) == [], "they still say so"
    assert probe(router, one, 3) == []
    assert later(500) == []
    assert later(101) == [JoinAt(51820, True)]
