"""Old HELLOs and HELLOs from elsewhere, and what they are asked for."""

from __future__ import annotations

import os
from dataclasses import replace

import pytest

from nrs.router.freshness import Freshness, HandshakeLoad
from nrs.router.retry_secret import RetrySecret
from nrs.tunnel.drop import Drop
from nrs.tunnel.handshake import BadTag, HandshakeError, Initiator, StaticKey
from nrs.tunnel.record import Progress
from nrs.tunnel.wire import Claim, Hello
from tests.router.driven import CLAIM, ELSEWHERE, Router, config, device, peer, shared

HERE, THERE = b"here", b"there"
SECRET = bytes(range(32))
NEXT = replace(CLAIM, generation=1)


@pytest.fixture
def router() -> Router:
    return Router()


def a_hello(stamp: int = 1, token: bytes = bytes(16), claim: Claim = CLAIM) -> Hello:
    return Hello(1, os.urandom(32), os.urandom(32), claim, stamp=stamp, token=token)


def said(router: Router, stamp: int, after: Initiator | None = None) -> Initiator:
    """One attempt, heard by the router; after another that a RETRY has answered."""
    if after is None:
        made = Initiator(shared(), CLAIM, 7, os.urandom, stamp)
    else:
        made = after.again(router.answers.pop(), stamp, os.urandom)
    assert router.hear_hello(made.hello(), peer(1)) is None
    return made


# -- what is kept


def test_only_a_greater_stamp_than_all_before_is_newer() -> None:
    fresh = Freshness(SECRET)
    assert not fresh.is_newer(a_hello(2**64 - 1)), "the first of a claim may be an old one"
    fresh.believe(CLAIM, 5, bytes(32))
    fresh.believe(CLAIM, 3, bytes(32))
    assert [fresh.is_newer(a_hello(stamp)) for stamp in (0, 4, 5, 6, 2**64 - 1)] == [
        False,
        False,
        False,
        True,
        True,
    ]
    assert not fresh.is_newer(a_hello(6, claim=ELSEWHERE))
    assert not fresh.is_newer(a_hello(6, claim=NEXT)), "another device of the same id"


def test_a_token_is_good_for_its_claim_and_place_and_once() -> None:
    fresh, now = Freshness(SECRET), 500.0
    token = fresh.token(CLAIM, HERE, now)
    assert fresh.is_asked_for(a_hello(token=token), HERE, now)
    assert not fresh.is_asked_for(a_hello(token=token), THERE, now)
    assert not fresh.is_asked_for(a_hello(token=token, claim=ELSEWHERE), HERE, now)
    assert not fresh.is_asked_for(a_hello(), HERE, now)
    assert not Freshness(bytes(32)).is_asked_for(a_hello(token=token), HERE, now)
    fresh.believe(CLAIM, 0, os.urandom(32))
    assert not fresh.is_asked_for(a_hello(token=token), HERE, now), "it has been used"


def test_a_token_is_good_for_two_to_four_minutes_and_over_a_restart() -> None:
    for given in (240.0, 300.0, 359.9):
        token = Freshness(SECRET).token(CLAIM, HERE, given)
        later = Freshness(SECRET)
        assert later.is_asked_for(a_hello(token=token), HERE, given + 120)
        assert not later.is_asked_for(a_hello(token=token), HERE, given + 240)


def test_who_was_silent_for_longest_is_forgotten() -> None:
    fresh = Freshness(SECRET, most=2)
    for claim in (CLAIM, ELSEWHERE, CLAIM, NEXT):
        fresh.believe(claim, 1, bytes(32))
    known = [fresh.is_newer(a_hello(2, claim=claim)) for claim in (CLAIM, ELSEWHERE, NEXT)]
    assert known == [True, False, True]


def test_the_secret_is_random_and_outlives_the_process() -> None:
    first = RetrySecret(os.urandom)
    again = RetrySecret(os.urandom, os.dup(first.file.fd))
    another = RetrySecret(os.urandom)
    assert first.value == again.value != another.value
    assert len(first.value) == 32
    for one in (first, again, another):
        one.file.close()


# -- what a router does


def test_the_first_of_a_claim_is_asked_again_and_costs_no_state(router: Router) -> None:
    first = said(router, stamp=9)
    assert (router.machine.retries, router.opened, list(router.machine.devices)) == (1, [], [])
    said(router, stamp=10, after=first)
    assert len(router.opened) == 1
    said(router, stamp=11)
    assert len(router.opened) == 2, "known by now"


@pytest.mark.parametrize("stamp", [0, 50, 99])
def test_a_clock_that_went_back_costs_a_round_trip(router: Router, stamp: int) -> None:
    first = said(router, stamp=99)
    said(router, stamp=100, after=first)
    behind = said(router, stamp=stamp)
    assert len(router.opened) == 1
    said(router, stamp=stamp + 1, after=behind)
    assert len(router.opened) == 2
    said(router, stamp=100)
    assert len(router.opened) == 2, "the greatest stamp stays"


def test_a_token_does_not_make_a_replay_fresh(router: Router) -> None:
    first = said(router, stamp=1)
    whole = said(router, stamp=2, after=first)
    index = router.opened[-1].record.secrets.local_index
    router.confirm(index)
    for _ in range(3):
        router.now += 1.0
        assert router.hear_hello(whole.hello(), peer(1)) is None
    assert len(router.opened) == 1
    assert router.machine.retries == 4


def test_questions_are_limited_where_they_go_and_nowhere_else(router: Router) -> None:
    hello = Initiator(shared(), CLAIM, 7, os.urandom, 1).hello()
    heard = [router.hear_hello(hello, peer(1)) for _ in range(7)]
    assert heard == [None] * 5 + [Drop.RATE] * 2
    assert router.hear_hello(hello, (*peer(1)[:1], 6, 0, 0)) is None, "another port"
    assert router.hear_hello(hello, peer(2)) is None, "elsewhere"


def test_a_question_is_shorter_than_what_it_answers(router: Router) -> None:
    first = said(router, stamp=1)
    assert len(router.answers[-1]) < len(first.hello())


def test_much_to_do_has_everybody_show_where_he_is(router: Router) -> None:
    router.open(shared())
    router.machine.note_handshake(0.05, router.now)
    said(router, stamp=router.stamp + 1)
    assert len(router.opened) == 2, "half of what is much"
    router.machine.note_handshake(0.06, router.now)
    first = said(router, stamp=router.stamp + 2)
    assert len(router.opened) == 2
    said(router, stamp=router.stamp + 3, after=first)
    assert len(router.opened) == 3
    router.now += 2.0
    said(router, stamp=router.stamp + 4)
    assert len(router.opened) == 4, "quiet again"


def test_load_is_a_share_of_about_a_second() -> None:
    load = HandshakeLoad()
    for n in range(1000):
        load.spent(0.0005, n / 1000)
    assert load.is_much(1.0)
    assert not load.is_much(4.0)
    for n in range(1000):
        load.spent(0.00005, 10 + n / 1000)
    assert not load.is_much(11.0)


def test_stamps_outlive_a_restart(router: Router) -> None:
    router.open(shared())
    record = router.opened[-1].record
    later = Router()
    later.take(later.machine.resume(record, Progress(confirmed=True), later.now))
    said(later, stamp=router.stamp)
    assert len(later.opened) == 1, "not newer than what the process before has seen"
    said(later, stamp=router.stamp + 1)
    assert len(later.opened) == 2


# -- devices of one id


def test_a_replacement_takes_over_at_once_and_the_stolen_one_is_closed() -> None:
    router = Router(config(key_modes=["device"]))
    stolen = router.open(device())
    router.sessions[stolen].last_received = router.now
    fresh = router.offered(device(claim=NEXT), NEXT)
    router.confirm(fresh)
    assert stolen not in router.sessions
    assert [d.claim for d in router.machine.devices] == [NEXT]
    (told,) = [one.text for one in router.told if "closed" in one.text]
    assert "closed: generation 1, at " in told
    assert told.endswith(" replaces it")
    router.sessions[fresh].last_received = router.now
    assert router.offered(device()), "the old one has to show that nobody is there"
    assert router.ask_at, "the replacement is asked"


def test_a_key_is_of_one_generation() -> None:
    router = Router(config(key_modes=["device"]))
    assert router.hello(device(), NEXT) is Drop.TAG
    assert router.hello(device(claim=NEXT), CLAIM) is Drop.TAG


def test_with_a_shared_key_a_generation_proves_nothing(router: Router) -> None:
    held = router.open(shared())
    router.sessions[held].last_received = router.now
    router.offered(shared(), NEXT)
    assert router.ask_at, "who is there is asked, as of any two devices"


# -- what an endpoint takes


def test_a_question_is_for_one_hello_and_proved(router: Router) -> None:
    one = said(router, stamp=1)
    said(router, stamp=2)
    to_one, to_other = router.answers
    with pytest.raises(HandshakeError, match="another HELLO"):
        one.again(to_other, 3, os.urandom)
    for at in range(len(to_one)):
        flipped = to_one[:at] + bytes((to_one[at] ^ 1,)) + to_one[at + 1 :]
        with pytest.raises(BadTag):
            one.again(flipped, 3, os.urandom)
    for length in range(len(to_one)):
        with pytest.raises(HandshakeError):
            one.again(to_one[:length], 3, os.urandom)
    stranger = Initiator(StaticKey(os.urandom(32)), CLAIM, 7, os.urandom, 1)
    with pytest.raises(BadTag):
        stranger.again(to_one, 3, os.urandom)


def test_a_replay_from_an_endpoints_own_place_keeps_no_question_from_it(router: Router) -> None:
    """The claim is unknown, as after a boot, so it needs one."""
    recorded = Initiator(shared(), CLAIM, 7, os.urandom, 1).hello()
    for stamp in range(2, 8):
        for _ in range(200):
            router.hear_hello(recorded, peer(1))
        router.answers.clear()
        asked = said(router, stamp=10 * stamp)
        for _ in range(200):
            router.hear_hello(recorded, peer(1))
        opened = len(router.opened)
        asked = asked.again(router.answers[0], 10 * stamp + 1, os.urandom)
        assert router.hear_hello(asked.hello(), peer(1)) is None
        assert len(router.opened) == opened + 1
        router.now += 200.0
        router.machine._freshness = Freshness(bytes(32))
