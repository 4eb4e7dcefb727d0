"""Two devices that claim one identity or address, and one that only comes back."""

from __future__ import annotations

import ipaddress
import logging
import os
from dataclasses import replace

import pytest

from nrs.router.contest import AGAIN_S, ANSWER_S, CONTESTED_S, Contests
from nrs.router.session_table import DEAD_S, Device
from nrs.tunnel import wire
from nrs.tunnel.drop import Drop
from nrs.tunnel.wire import Claim, Probe, Type
from tests.router.driven import CLAIM, ELSEWHERE, NEW, OLD, Router, config, device, shared, text

OTHER_ID = replace(CLAIM, endpoint_id="endpoint_2")
SAME_IPV4 = Claim("endpoint_3", CLAIM.tun_ipv4, ipaddress.IPv6Address("fd00:10:100::3"))


@pytest.fixture
def router() -> Router:
    return Router()


def of(router: Router, claim: Claim = CLAIM) -> Device:
    return next(device for device in router.machine.devices if device.claim == claim)


def warnings(router: Router) -> list[str]:
    return [told.text for told in router.told if told.level == logging.WARNING]


# -- the same device: never a warning, never a wait


def test_a_renewal_that_proves_itself_asks_nobody(router: Router) -> None:
    before = router.open(shared())
    after = router.open(shared())
    assert router.selected() == after
    assert router.asked(before) == []
    assert warnings(router) == []


def test_so_does_one_with_another_key() -> None:
    modes = ["shared", "device"]
    router = Router(config(NEW, key_epoch=1, previous_psk=text(OLD), key_modes=modes))
    before = router.open(shared(OLD, 0))
    after = router.open(device(NEW, 1))
    assert router.selected() == after
    assert router.asked(before) == []


def test_a_device_that_was_rebooted_takes_over_with_its_first_packet(router: Router) -> None:
    before = router.open(shared())
    after = router.offered(shared(), stranger=True)
    assert len(router.asked(before)) == 1, "asked before the new session can take over"
    assert router.selected() == before
    router.confirm(after)
    assert router.selected() == after
    router.pass_time(5.0)
    assert router.selected() == after
    assert warnings(router) == []
    assert router.machine.refused_devices == 0
    assert not router.machine.contested(of(router))


def test_the_question_is_repeated_for_a_second(router: Router) -> None:
    before = router.open(shared())
    router.open(shared(), stranger=True)
    router.pass_time(5.0)
    asked = router.asked(before)
    assert len(asked) == round(ANSWER_S / AGAIN_S)
    assert len(set(asked)) == 1
    assert router.ask_at == []


def test_a_session_that_has_been_silent_is_not_asked(router: Router) -> None:
    before = router.open(shared())
    router.now += DEAD_S
    after = router.open(shared(), stranger=True)
    assert router.selected() == after
    assert router.asked(before) == []


def test_an_answer_that_is_late_changes_nothing(router: Router) -> None:
    before = router.open(shared())
    after = router.open(shared(), stranger=True)
    router.pass_time(ANSWER_S + 0.1)
    router.answer(before)
    assert router.selected() == after
    assert warnings(router) == []


def test_an_answer_to_another_question_neither(router: Router) -> None:
    before = router.open(shared())
    after = router.open(shared(), stranger=True)
    router.control(before, Type.PROBE_ACK, specific=(router.asked(before)[-1] + 1) % 2**32)
    assert router.selected() == after
    router.control(after, Type.PROBE_ACK, specific=router.asked(before)[-1])
    assert router.selected() == after


def test_a_hello_alone_makes_nobody_suspicious(router: Router) -> None:
    """It may be an old one that somebody has sent again."""
    before = router.open(shared())
    for _ in range(3):
        router.offered(shared(), stranger=True)
        router.answer(before)
        router.pass_time(2.0)
    assert warnings(router) == []
    assert router.machine.refused_devices == 0
    # Neither is it held against the device when it is rebooted then.
    after = router.open(shared(), stranger=True)
    assert router.selected() == after
    router.pass_time(2.0)
    assert router.selected() == after


# -- another device


@pytest.mark.parametrize("answers_first", [True, False])
def test_of_two_with_one_identity_the_first_is_kept(router: Router, *, answers_first: bool) -> None:
    first = router.open(shared())
    second = router.offered(shared(), stranger=True)
    if answers_first:
        router.answer(first)
        router.confirm(second)
    else:
        router.confirm(second)
        assert router.selected() == second
        router.pass_time(0.5)
        router.answer(first)
    assert router.selected() == first
    assert list(router.sessions) == [first]
    assert router.byes == [second]
    assert warnings(router) == [
        "two devices say that they are endpoint_1: the one at [2001:db8:1::1]:5 is kept,"
        " the one at [2001:db8:2::1]:5 is refused"
    ]
    assert router.machine.refused_devices == 1
    assert router.machine.contested(of(router))
    assert of(router).current is not None
    assert of(router).previous is None


def test_the_first_one_goes_on_with_what_it_has_said(router: Router) -> None:
    first = router.open(shared())
    for number in (1, 2):
        router.control(first, Type.PATH_PROBE, number, body=bytes(1200))
    router.control(first, Type.PROBE, 3, flags=wire.JOINED_BADLY, body=Probe(0, 1400).encode())
    second = router.open(shared(), stranger=True)
    router.control(second, Type.PATH_PROBE, 1, body=bytes(1200))
    router.control(second, Type.PROBE, 2, body=Probe(0, 9000).encode())
    router.answer(first)
    state = of(router).entry(first).state
    assert of(router).current == of(router).entry(first)
    assert (state.path_probes, state.limit, state.joined_badly) == (2, (1400, False), True)
    assert state.role_sequence == 3


def test_the_second_one_is_refused_from_then_on_and_told_of_once_a_minute(router: Router) -> None:
    first = router.open(shared())
    router.open(shared(), stranger=True)
    router.answer(first)
    for number in range(40):
        assert router.hello(shared(), stranger=True) is Drop.SOURCE
        assert router.selected() == first
        router.pass_time(0.1)
        router.answer(first)
        router.pass_time(1.9)
        assert len(warnings(router)) == (1 if number < 30 else 2)
    assert router.machine.refused_devices == 41
    assert list(router.sessions) == [first]


def test_the_first_one_goes_on_as_ever_meanwhile(router: Router) -> None:
    first = router.open(shared())
    held = router._held.copy()
    router.open(shared(), stranger=True)
    router.answer(first)
    router._held = held
    router.control(first, Type.ROLE, 1, flags=1)
    assert of(router).active
    renewed = router.open(shared())
    assert router.selected() == renewed
    assert router.machine.contested(of(router)), "the other one is still there"
    assert router.hello(shared(), stranger=True) is Drop.SOURCE
    router.answer(renewed)
    assert router.selected() == renewed


def test_the_second_one_gets_the_place_when_the_first_has_left_it(router: Router) -> None:
    first = router.open(shared())
    router.open(shared(), stranger=True)
    router.answer(first)
    assert router.hello(shared(), stranger=True) is Drop.SOURCE
    router.pass_time(ANSWER_S)
    second = router.open(shared(), stranger=True)
    assert router.selected() == second
    router.pass_time(5.0)
    assert router.selected() == second
    assert not router.machine.contested(of(router))


def test_it_is_over_a_minute_after_the_second_one_was_seen(router: Router) -> None:
    first = router.open(shared())
    router.open(shared(), stranger=True)
    router.answer(first)
    router.now += CONTESTED_S + 1
    router.sessions[first].last_received = router.now
    router.take(router.machine.due(router.now, router.sessions))
    assert not router.machine.contested(of(router))


# -- different devices with one address


@pytest.mark.parametrize(
    ("claim", "words"),
    [
        (OTHER_ID, "have 10.10.100.1 and fd00:10:100::1"),
        (SAME_IPV4, "have 10.10.100.1"),
    ],
)
def test_of_two_with_one_address_the_first_is_kept(
    router: Router, claim: Claim, words: str
) -> None:
    first = router.open(shared())
    second = router.open(shared(), claim)
    assert router.selected() == second
    router.answer(first)
    assert router.selected() == first
    assert router.byes == [second]
    assert [device.claim for device in router.machine.devices] == [CLAIM]
    assert warnings(router) == [
        f"two devices say that they {words}: the one at [2001:db8:1::1]:5 (endpoint_1) is kept,"
        f" the one at [2001:db8:2::1]:5 ({claim.endpoint_id}) is refused"
    ]
    assert router.hello(shared(), claim) is Drop.SOURCE


@pytest.mark.parametrize("late", [False, True])
def test_one_that_does_not_answer_is_closed_when_another_has_its_address(
    router: Router, *, late: bool
) -> None:
    """Else it would be up for good, with nothing coming back."""
    first = router.open(shared())
    second = router.offered(shared(), SAME_IPV4)
    if late:
        router.pass_time(2.0)
    router.confirm(second)
    router.pass_time(2.0)
    assert router.selected() == second
    assert list(router.sessions) == [second]
    assert router.byes == [first]
    assert warnings(router) == [
        "tunnel to endpoint_1 is closed: nobody answers, and the one at [2001:db8:2::1]:5 has"
        " its address"
    ]


@pytest.mark.parametrize(
    "claim",
    [SAME_IPV4, replace(ELSEWHERE, prefixes=(ipaddress.IPv4Network("192.168.7.0/25"),))],
)
def test_so_is_one_that_has_long_been_silent(claim: Claim) -> None:
    """It is not asked, but would be up again with a part of its networks when its path is back."""
    router = Router(config(endpoint_prefixes=["192.168.7.0/24"]))
    held = replace(CLAIM, prefixes=(ipaddress.IPv4Network("192.168.7.0/24"),))
    first = router.open(shared(), held)
    router.now += DEAD_S
    second = router.open(shared(), claim)
    assert router.asked(first) == []
    assert router.byes == [first]
    assert list(router.sessions) == [second]
    assert router.routes == set(claim.prefixes) | (
        set(claim.networks) if claim.endpoint_id == ELSEWHERE.endpoint_id else set()
    )
    assert len(warnings(router)) == 1


def test_a_contest_is_not_won_by_a_device_that_has_gone_silent_since(router: Router) -> None:
    first = router.open(shared())
    router.open(shared(), stranger=True)
    router.answer(first)
    router.now += DEAD_S
    second = router.open(shared(), stranger=True)
    assert router.selected() == second


def test_all_who_have_lost_an_address_get_it_back(router: Router) -> None:
    both = Claim("endpoint_9", ELSEWHERE.tun_ipv4, CLAIM.tun_ipv6)
    one, two = router.open(shared()), router.open(shared(), ELSEWHERE)
    router.open(shared(), both)
    router.answer(two)
    assert router.selected() == one
    assert (
        router.machine.select(b"\x11" + bytes(4) + ELSEWHERE.tun_ipv4.packed + bytes(4), 0, 0)
        == two
    )
    assert router.routes == set(ELSEWHERE.networks)


def test_hundreds_that_are_asked_at_once_are_asked_by_turns() -> None:
    contests = Contests(os.urandom)
    for holder in range(1, 501):
        contests.ask(holder, "somewhere", 0.0)
    now, asked = 0.0, []
    while (when := contests.next_due(now)) is not None and when < AGAIN_S:
        ask, silent = contests.due(now)
        assert len(ask) <= 64
        assert silent == []
        asked += [contest.holder for contest in ask]
        now = when
    assert sorted(asked) == list(range(1, 501))
