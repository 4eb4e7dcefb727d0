"""An endpoint has no tunnel to a router that is revoked, nor by a key that is."""

from __future__ import annotations

import base64
import logging

import pytest

from nrs.identity.revoked_tunnels import RevokedTunnels
from nrs.tunnel.drop import Drop
from nrs.tunnel.handshake import Responder
from nrs.tunnel.wire import KeyMode, Objection, RouterFlag, Type
from tests.endpoint.fakes import OLD, Endpoint, config, identity
from tests.endpoint.test_rekey import NEW, psk
from tests.endpoint.test_resuming import TWO, after, with_two_tunnels

CAPTURED = RevokedTunnels().with_router("r1")


def revoke(endpoint: Endpoint, revoked: RevokedTunnels) -> None:
    endpoint.do(endpoint.machine.handle_revocations(revoked, endpoint.now))


def warned(endpoint: Endpoint) -> list[str]:
    return [text for level, text in endpoint.told if level == logging.WARNING]


@pytest.fixture
def endpoint() -> Endpoint:
    made = with_two_tunnels()
    made.wait(5)
    assert made.machine.active == "r1"
    return made


def test_traffic_leaves_a_revoked_router_at_once(endpoint: Endpoint) -> None:
    first, second = endpoint.session_of("r1"), endpoint.session_of("r2")
    hellos = len(endpoint.hellos)
    revoke(endpoint, CAPTURED)
    assert endpoint.machine.active == "r2"
    assert set(endpoint.sessions) == {second}
    assert (first, Type.BYE) in endpoint.said
    assert warned(endpoint) == ["r1 is revoked: no tunnel to it"]
    (switch,) = [text for _, text in endpoint.told if "traffic moves" in text][1:]
    assert "r1 is revoked" in switch
    revoke(endpoint, CAPTURED)
    endpoint.wait(60)
    assert len(endpoint.hellos) == hellos, "it is not asked for a session any more"
    assert len(warned(endpoint)) == 1
    assert endpoint.session_of("r2") == second


def test_an_answer_on_its_way_opens_nothing() -> None:
    endpoint = Endpoint(**psk())
    endpoint.wait(0.5)
    hello = endpoint.hellos[-1]
    revoke(endpoint, CAPTURED)
    assert endpoint.answer({0: OLD}, "r1", hello) is Drop.NO_SESSION
    assert endpoint.sessions == {}


def test_a_later_list_lets_it_in_again(endpoint: Endpoint) -> None:
    revoke(endpoint, CAPTURED)
    revoke(endpoint, RevokedTunnels())
    hellos = len(endpoint.hellos)
    endpoint.wait(10)
    assert len(endpoint.hellos) > hellos
    assert endpoint.answer({0: OLD}) is None
    assert endpoint.tunnel.revoked is None
    assert endpoint.tunnel.index


def test_a_reload_changes_nothing_of_it() -> None:
    endpoint = Endpoint(("r2",), **psk())
    revoke(endpoint, CAPTURED)
    endpoint.configure(config(TWO, **psk()))
    endpoint.wait(10)
    assert endpoint.tunnel.revoked == "r1 is revoked"
    assert endpoint.machine.tunnels["r2"].revoked is None
    answered = 0
    for hello in endpoint.hellos:
        answered += endpoint.answer({0: OLD}, "r1", hello) is None
    assert answered == 0


def test_the_only_router(endpoint: Endpoint) -> None:
    revoke(endpoint, CAPTURED.with_router("r2"))
    assert endpoint.sessions == {}
    assert endpoint.machine.select(b"\x11" + bytes(12), 0, endpoint.now) == 0
    assert len(warned(endpoint)) == 2
    endpoint.wait(30)


def test_a_key_epoch() -> None:
    endpoint = Endpoint(**psk())
    endpoint.wait(0.5)
    endpoint.answer({0: OLD})
    revoke(endpoint, RevokedTunnels().with_epochs_below(1))
    assert endpoint.sessions == {}
    text = "the key for r1 is of epoch 0, which is revoked"
    assert endpoint.tunnel.revoked == text
    endpoint.configure(config(key_epoch=1, **psk(NEW)))
    endpoint.wait(10)
    assert endpoint.tunnel.revoked is None
    assert endpoint.answer({1: NEW}) is None


def test_a_session_of_a_revoked_epoch_ends_though_the_key_is_another() -> None:
    endpoint = Endpoint(**psk())
    endpoint.wait(0.5)
    endpoint.answer({0: OLD})
    endpoint.configure(config(key_epoch=1, **psk(NEW)))
    old = endpoint.session
    revoke(endpoint, RevokedTunnels().with_epochs_below(1))
    assert old not in endpoint.sessions
    endpoint.wait(10)
    assert endpoint.answer({1: NEW}) is None


def test_a_session_of_an_earlier_process_does_not_go_on(endpoint: Endpoint) -> None:
    gone, kept = endpoint.session_of("r1"), endpoint.session_of("r2")
    following = after(endpoint, revoked=CAPTURED)
    assert kept in following.sessions
    assert gone not in following.sessions
    assert following.machine.active == "r2"


def test_what_a_router_says_of_a_revoked_key_is_told_once() -> None:
    endpoint = Endpoint(psk=base64.b64encode(OLD).decode())
    endpoint.wait(0.5)
    router = Responder(identity("r1"), {0: OLD}, frozenset({KeyMode.SHARED}))
    for _ in range(3):
        offer = router.check(endpoint.hellos[-1])
        answer = router.refuse(offer, Objection.REVOKED, 0, RouterFlag(0))
        assert endpoint.handshake(Type.HELLO_ACK, answer) is Drop.SOURCE
        endpoint.wait(3)
    (told,) = warned(endpoint)
    assert told.startswith("r1 refuses all: this endpoint's key is revoked there")
    assert endpoint.tunnel.refusal == told


def test_a_session_of_a_revoked_epoch_does_not_go_on_in_the_next_process(
    endpoint: Endpoint,
) -> None:
    """Though the key in the file is another by now."""
    revoked = RevokedTunnels().with_epochs_below(1)
    later = after(endpoint, revoked=revoked, key_epoch=1, **psk(NEW))
    assert later.sessions == {}
    assert later.machine.tunnels["r1"].revoked is None
