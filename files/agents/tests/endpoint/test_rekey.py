"""A changed key opens new sessions while the present ones serve; a changed port does not."""

from __future__ import annotations

import base64
import logging
import os
from typing import Any

import pytest

from nrs.endpoint.liveness import State
from nrs.endpoint.tunnel import EARLY_S, REKEY_DATAGRAMS, REKEY_S
from nrs.tunnel import keys, wire
from nrs.tunnel.control import Control
from nrs.tunnel.drop import Drop
from nrs.tunnel.handshake import BadTag, Responder, StaticKey
from nrs.tunnel.wire import Hello, KeyMode, ProbeAck, RouterFlag, Type
from tests.endpoint.fakes import BOTH, CLAIM, OLD, Endpoint, config, identity

NEW = bytes(range(50, 82))
MORE = bytes(range(90, 122))
FLOW = b"\x11" + bytes((10, 10, 100, 1)) + bytes((198, 51, 100, 10)) + bytes(4)
"""UDP to the business server."""


def psk(key: bytes = OLD) -> dict[str, str]:
    return {"psk": base64.b64encode(key).decode()}


def device_key(master: bytes, epoch: int) -> dict[str, Any]:
    return {"device_key": keys.device_key(master, CLAIM, epoch).hex(), "key_epoch": epoch}


def key_of(hello: bytes) -> tuple[KeyMode, int]:
    body = hello[wire.HEADER_BYTES : -wire.TAG_BYTES]
    return Hello.decode(body).key_mode, hello[2]


def warnings(endpoint: Endpoint) -> list[str]:
    return [text for level, text in endpoint.told if level == logging.WARNING]


@pytest.fixture
def endpoint() -> Endpoint:
    """An endpoint in shared mode, its tunnel up."""
    made = Endpoint(**psk())
    assert made.answer({0: OLD}) is None
    return made


@pytest.mark.parametrize(
    ("tunnel", "masters", "expected"),
    [
        (psk(NEW), {0: NEW}, StaticKey(NEW)),
        ({**psk(), "key_epoch": 1}, {1: OLD}, StaticKey(OLD, key_id=1)),
        (
            device_key(OLD, 0),
            {0: OLD},
            StaticKey(keys.device_key(OLD, CLAIM, 0), KeyMode.DEVICE),
        ),
        (
            device_key(NEW, 1),
            {0: OLD, 1: NEW},
            StaticKey(keys.device_key(NEW, CLAIM, 1), KeyMode.DEVICE, 1),
        ),
    ],
    ids=["another PSK", "another epoch", "another mode", "all of them"],
)
def test_a_changed_key_opens_a_new_session_while_the_old_one_serves(
    endpoint: Endpoint, tunnel: dict[str, Any], masters: dict[int, bytes], expected: StaticKey
) -> None:
    old, present = endpoint.session, endpoint.tunnel
    endpoint.hellos.clear()
    endpoint.configure(config(**tunnel))
    assert [key_of(h) for h in endpoint.hellos] == [(expected.mode, expected.key_id)]
    assert endpoint.machine.select(FLOW, 0, endpoint.now) == old
    assert endpoint.answer(masters) is None
    new = endpoint.session
    assert new != old
    assert endpoint.sessions[new].key == expected
    assert endpoint.machine.select(FLOW, 0, endpoint.now) == new
    assert endpoint.tunnel is present
    assert Type.BYE not in [kind for _, kind in endpoint.said]
    # What the router has sent through the old one before it heard of the new one still opens.
    assert old in endpoint.sessions
    endpoint.wait(11)
    assert list(endpoint.sessions) == [new]
    assert len(endpoint.hellos) == 1


def test_an_unanswered_new_key_leaves_the_old_session_in_use_and_is_logged(
    endpoint: Endpoint,
) -> None:
    old = endpoint.session
    endpoint.hellos.clear()
    endpoint.configure(config(**device_key(NEW, 1)))
    endpoint.wait(4)
    assert len(endpoint.hellos) == 1
    endpoint.wait(10)
    assert len(endpoint.hellos) == 3
    assert warnings(endpoint) == []
    endpoint.wait(60)
    assert 10 <= len(endpoint.hellos) <= 15
    assert endpoint.session == old
    assert endpoint.tunnel.liveness.state is State.UP
    (warning,) = warnings(endpoint)
    assert "r1" in warning
    assert "its device key of epoch 1" in warning
    assert "the session in use stays" in warning
    # The router has got its new key at last.
    assert endpoint.answer({1: NEW}) is None
    assert endpoint.session != old


def test_an_answer_to_the_old_key_does_not_pass_for_one_to_the_new(endpoint: Endpoint) -> None:
    endpoint.configure(config(**psk(NEW)))
    late = endpoint.hellos[-1]
    endpoint.configure(config(**device_key(NEW, 0)))
    assert endpoint.hellos[-1] != late
    endpoint.hellos.append(late)
    assert endpoint.answer({0: NEW}) is Drop.TAG
    assert endpoint.sessions[endpoint.session].key == StaticKey(OLD)


def test_a_bye_of_the_router_is_answered_with_the_new_key_at_once(endpoint: Endpoint) -> None:
    endpoint.configure(config(**device_key(NEW, 1)))
    endpoint.hellos.clear()
    endpoint.hear("r1", Type.BYE)
    assert not endpoint.tunnel.index
    assert [key_of(hello) for hello in endpoint.hellos] == [(KeyMode.DEVICE, 1)]


def test_a_tunnel_that_is_not_up_tries_the_new_key_at_once() -> None:
    endpoint = Endpoint(**psk())
    endpoint.wait(8)
    endpoint.hellos.clear()
    endpoint.configure(config(**device_key(NEW, 1)))
    assert [key_of(hello) for hello in endpoint.hellos] == [(KeyMode.DEVICE, 1)]


def test_a_changed_port_sets_the_tunnel_up_again(endpoint: Endpoint) -> None:
    old, tunnel = endpoint.session, endpoint.tunnel
    endpoint.configure(config(**psk(), port=51999))
    assert (old, Type.BYE) in endpoint.said
    assert endpoint.tunnel is not tunnel
    assert not endpoint.tunnel.index


def test_an_unchanged_key_changes_nothing(endpoint: Endpoint) -> None:
    old = endpoint.session
    endpoint.hellos.clear()
    endpoint.configure(config(**psk(), keepalive_interval=5))
    endpoint.wait(30)
    assert endpoint.session == old
    assert endpoint.hellos == []


def test_a_repeated_answer_is_no_drop_and_changes_nothing(endpoint: Endpoint) -> None:
    router = Responder(identity("r1"), {0: OLD}, BOTH)
    endpoint.do(endpoint.tunnel._hello(endpoint.now))
    offer = router.check(endpoint.hellos[-1])
    datagram, _ = router.accept(offer, 77, RouterFlag(0), os.urandom)
    assert endpoint.handshake(Type.HELLO_ACK, datagram) is None
    session = endpoint.session
    assert endpoint.handshake(Type.HELLO_ACK, datagram) is None
    assert endpoint.session == session
    other, _ = router.accept(offer, 78, RouterFlag(0), os.urandom)
    assert endpoint.handshake(Type.HELLO_ACK, other) is Drop.NO_SESSION


def test_a_key_that_changed_while_no_process_ran_opens_a_session_while_the_kept_one_serves(
    endpoint: Endpoint,
) -> None:
    kept = endpoint.sessions[endpoint.session].record
    later = Endpoint(now=endpoint.now + 1, kept=[(kept, 0.0)], **device_key(NEW, 1))
    assert later.session == endpoint.session
    assert later.sessions[later.session].key == StaticKey(b"", KeyMode.SHARED, 0)
    assert [key_of(hello) for hello in later.hellos] == [(KeyMode.DEVICE, 1)]
    assert later.answer({0: OLD, 1: NEW}) is None
    assert later.session != endpoint.session
    expected = StaticKey(keys.device_key(NEW, CLAIM, 1), KeyMode.DEVICE, 1)
    assert later.sessions[later.session].key == expected
    later.wait(30)
    assert len(later.hellos) == 1


def test_each_tunnel_has_the_key_of_its_router() -> None:
    masters = {"r1": OLD, "r2": NEW}
    own = {router: keys.device_key(master, CLAIM, 0).hex() for router, master in masters.items()}
    endpoint = Endpoint(("r1", "r2"), device_keys=own)
    hellos = dict(zip(masters, endpoint.hellos, strict=True))
    for router, other in (("r1", "r2"), ("r2", "r1")):
        with pytest.raises(BadTag):
            endpoint.answer({0: masters[other]}, router, hellos[router])
        assert endpoint.answer({0: masters[router]}, router, hellos[router]) is None
    sessions = [endpoint.session_of(router) for router in masters]

    # Another key for one of them is nothing to the other's session.
    changed = {**own, "r2": keys.device_key(MORE, CLAIM, 0).hex()}
    endpoint.hellos.clear()
    endpoint.configure(config(("r1", "r2"), device_keys=changed))
    assert len(endpoint.hellos) == 1
    assert endpoint.answer({0: MORE}, "r2") is None
    assert endpoint.session_of("r1") == sessions[0]
    assert endpoint.session_of("r2") != sessions[1]


def renewed_at(endpoint: Endpoint) -> float:
    """How old its session is when it asks for another one."""
    began = endpoint.sessions[endpoint.session].record.created
    endpoint.hellos.clear()
    while not endpoint.hellos:
        endpoint.wait(10, step=10)
    return endpoint.now - began


def up() -> Endpoint:
    made = Endpoint(**psk())
    assert made.answer({0: OLD}) is None
    return made


def test_a_session_of_an_hour_is_renewed_while_it_serves(endpoint: Endpoint) -> None:
    old = endpoint.session
    assert REKEY_S - EARLY_S < renewed_at(endpoint) <= REKEY_S + 10
    assert endpoint.machine.select(FLOW, 0, endpoint.now) == old
    endpoint.wait(11)
    assert len(endpoint.hellos) == 3, "every 5 s until it is answered"
    assert endpoint.answer({0: OLD}) is None
    assert endpoint.machine.select(FLOW, 0, endpoint.now) == endpoint.session != old
    endpoint.wait(60)
    assert len(endpoint.hellos) == 3


def test_sessions_that_began_together_are_renewed_apart() -> None:
    times = [renewed_at(up()) for _ in range(12)]
    assert max(times) - min(times) > EARLY_S / 6


def test_a_restart_changes_nothing_of_when_a_session_is_renewed(endpoint: Endpoint) -> None:
    endpoint.wait(600, step=10)
    kept = endpoint.sessions[endpoint.session].record
    later = Endpoint(now=endpoint.now, kept=[(kept, 0.0)], **psk())
    assert later.session == endpoint.session
    assert renewed_at(later) == renewed_at(endpoint)


@pytest.mark.parametrize("way", ["sent", "received"])
def test_a_session_of_2_to_the_29_datagrams_is_renewed(endpoint: Endpoint, way: str) -> None:
    old = endpoint.session
    endpoint.hellos.clear()

    def carried(count: int) -> None:
        """The router answers a PROBE after so many datagrams."""
        ack = ProbeAck(0, count if way == "sent" else 1, 1, 0, 0).encode()
        number = endpoint.tunnel.liveness.probe_number
        control = Control(Type.PROBE_ACK, 0, 0, count, number, ack)
        highest = count if way == "received" else 1
        endpoint.do(endpoint.machine.handle_control(old, control, highest, 1, endpoint.now))
        endpoint.serve()

    carried(REKEY_DATAGRAMS - 1)
    assert endpoint.hellos == []
    carried(REKEY_DATAGRAMS)
    assert len(endpoint.hellos) == 1
    assert endpoint.machine.select(FLOW, 0, endpoint.now) == old
    assert endpoint.answer({0: OLD}) is None
    assert endpoint.machine.select(FLOW, 0, endpoint.now) == endpoint.session != old
    endpoint.wait(60)
    assert len(endpoint.hellos) == 1
