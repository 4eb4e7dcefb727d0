"""A router sends to a new address of an endpoint's once that has answered a challenge there."""

from __future__ import annotations

import logging
import os

import pytest

from nrs.router.orders import AskCandidates
from nrs.router.path_validation import AGAIN_S, ANSWER_S, PathValidation
from nrs.router.session_table import MOST_PENDING
from nrs.tunnel.control import Control
from nrs.tunnel.handshake import Initiator
from nrs.tunnel.orders import DoubtPath, DropCandidate, SendControl, TakeCandidate, Tell
from nrs.tunnel.wire import Probe, ProbeAck, Type
from tests.router.driven import CLAIM, ELSEWHERE, Router, believed, peer, shared


@pytest.fixture
def router() -> Router:
    return Router()


@pytest.fixture
def session(router: Router) -> int:
    made = router.open(shared())
    router.said.clear()
    return made


def move(router: Router, session: int) -> None:
    """Its newest datagram comes from elsewhere."""
    router.take(router.machine.handle_moved(session, router.now, elsewhere=True))


def answer(router: Router, challenge: SendControl, **changes: int) -> None:
    """As the endpoint does, from there, but for what is said."""
    stamp = Probe.decode(challenge.body).timestamp_us
    told = {"specific": challenge.specific, "stamp": stamp, "there": 1, **changes}
    body = ProbeAck(told["stamp"], 9, 9, 9, 0).encode()
    control = Control(
        Type.PROBE_ACK, 0, 0, 1, told["specific"], body, from_candidate=bool(told["there"])
    )
    index = changes.get("session", challenge.index)
    router.take(router.machine.handle_control(index, control, 9, 9, 51820, router.now))


def wait(router: Router, seconds: float) -> None:
    """Time passes, and the machine is called when it asked for that."""
    until = router.now + seconds
    while True:
        asked = [order for order in router.others if isinstance(order, AskCandidates)]
        assert len(asked) <= 1, "one timer for all"
        if not asked or asked[0].when > until:
            break
        router.others.remove(asked[0])
        router.now = max(router.now, asked[0].when)
        router.take(router.machine.ask_candidates(router.now))
    router.now = until


def done(router: Router) -> list[object]:
    return [order for order in router.others if not isinstance(order, AskCandidates)]


def test_a_new_address_is_challenged_at_once_and_taken_when_it_answers(
    router: Router, session: int
) -> None:
    move(router, session)
    (challenge,) = router.said
    assert (challenge.index, challenge.kind, challenge.challenge) == (session, Type.PROBE, True)
    assert challenge.flags == 0
    answer(router, challenge)
    assert done(router) == [TakeCandidate(session)]
    answer(router, challenge)
    wait(router, 60)
    assert done(router) == [TakeCandidate(session)], "once"
    assert router.said == [challenge]
    assert router.machine.paths_not_validated == 0


@pytest.mark.parametrize("wrong", ["specific", "stamp", "there", "session"])
def test_another_answer_or_one_from_elsewhere_is_none(
    router: Router, session: int, wrong: str
) -> None:
    other = router.open(shared(), CLAIM)
    move(router, session)
    challenge = router.said[-1]
    stamp = Probe.decode(challenge.body).timestamp_us
    changes = {
        "specific": {"specific": challenge.specific ^ 1},
        "stamp": {"stamp": stamp ^ 1},
        "there": {"there": 0},
        "session": {"session": other},
    }
    answer(router, challenge, **changes[wrong])
    assert done(router) == []
    answer(router, challenge)
    assert done(router) == [TakeCandidate(session)]


def test_a_challenge_is_96_random_bits() -> None:
    drawn: list[bytes] = []

    def random(size: int) -> bytes:
        drawn.append(os.urandom(size))
        return drawn[-1]

    challenge = PathValidation(random).begin(1, 0.0)
    given = challenge.number.to_bytes(4, "big") + challenge.body[:8]
    assert given == b"".join(drawn)


def test_a_challenge_is_repeated_and_without_an_answer_the_path_stays(
    router: Router, session: int
) -> None:
    move(router, session)
    wait(router, ANSWER_S - 0.01)
    assert len(router.said) == round(ANSWER_S / AGAIN_S)
    assert len(set(router.said)) == 1
    assert done(router) == []
    router.told.clear()
    wait(router, 0.02)
    assert done(router) == [DropCandidate(session)]
    assert router.told == [Tell(logging.INFO, "nobody answers where endpoint_1 seems to be by now")]
    assert router.machine.paths_not_validated == 1
    answer(router, router.said[0])
    wait(router, 60)
    assert done(router) == [DropCandidate(session)]


def test_who_is_asked_last_has_to_answer(router: Router, session: int) -> None:
    move(router, session)
    wait(router, 1.0)
    move(router, session)
    first, last = router.said[0], router.said[-1]
    assert first != last
    answer(router, first)
    wait(router, ANSWER_S - 0.1)
    assert done(router) == []
    answer(router, last)
    assert done(router) == [TakeCandidate(session)]


def test_who_sends_along_the_path_again_is_not_asked_any_more(router: Router, session: int) -> None:
    move(router, session)
    router.take(router.machine.handle_moved(session, router.now, elsewhere=False))
    wait(router, 60)
    assert len(router.said) == 1
    assert done(router) == []
    assert router.machine.paths_not_validated == 0


def test_a_session_that_is_over_is_not_asked(router: Router, session: int) -> None:
    move(router, session)
    router.control(session, Type.BYE)
    wait(router, 60)
    move(router, session)
    wait(router, 60)
    assert len(router.said) == 1
    assert done(router) == []
    assert router.machine.paths_not_validated == 0


def test_a_second_device_is_asked_about_apart_from_the_path(router: Router, session: int) -> None:
    """Neither answer passes for the other."""
    move(router, session)
    challenge = router.said[-1]
    assert router.hello(shared(), stranger=True) is None
    question = router.said[-1]
    assert (question.index, question.kind, question.challenge) == (session, Type.PROBE, False)
    assert question.specific != challenge.specific
    contest = router.machine._contests.get(session)
    assert contest is not None
    answer(router, challenge)
    assert done(router) == [TakeCandidate(session)]
    assert contest.alive is None
    move(router, session)
    answer(router, question)
    assert contest.alive is not None
    assert done(router) == [TakeCandidate(session)]


def test_an_answer_that_went_to_two_places_validates_neither(router: Router) -> None:
    believed(router.machine, CLAIM)
    hello = Initiator(shared(), CLAIM, 7, os.urandom, 1).hello()
    for source, doubts in ((1, 0), (1, 0), (2, 1), (1, 1)):
        assert router.hear_hello(hello, peer(source)) is None
        assert len(done(router)) == doubts
    (session,) = router.sessions
    assert done(router) == [DoubtPath(session)]


def test_of_thousands_that_move_at_once_a_few_are_asked_in_a_turn() -> None:
    validation = PathValidation(os.urandom)
    for session in range(1000):
        validation.begin(session, 0.0)
    now, asked = AGAIN_S, list[int]()
    for _ in range(4):
        again, failed = validation.due(now)
        assert (len(again) <= 256, failed) == (True, [])
        asked += [challenge.session for challenge in again]
        following = validation.next_due(now)
        assert following is not None
        assert following > now
        now = following
    assert sorted(asked) == list(range(1000))
    assert sorted(validation.due(ANSWER_S)[1]) == list(range(1000))
    assert validation.next_due(ANSWER_S) is None


def test_of_many_that_do_not_answer_one_is_told_of(router: Router) -> None:
    sessions = [router.open(shared()), router.open(shared(), ELSEWHERE)]
    router.told.clear()
    for session in sessions:
        move(router, session)
    wait(router, ANSWER_S + 0.1)
    assert len(router.told) == 1
    assert router.machine.paths_not_validated == 2
    assert done(router) == [*map(DropCandidate, sessions)]


@pytest.mark.parametrize("renewals", [1, 2, 4])
def test_nobody_is_challenged_in_a_session_that_is_over(router: Router, renewals: int) -> None:
    """The machine's own fakes refuse an order for one."""
    move(router, router.open(shared()))
    for _ in range(renewals):
        router.open(shared())
    wait(router, 2 * ANSWER_S)
    assert router.machine._validation.next_due(router.now) is None


def test_nor_in_one_that_others_have_pushed_out(router: Router) -> None:
    move(router, router.offered(shared()))
    for _ in range(MOST_PENDING):
        router.now += 0.3
        router.offered(shared(), stranger=True)
    wait(router, 2 * ANSWER_S)
