"""A changed cipher opens new sessions while the present ones serve; a router may refuse it."""

from __future__ import annotations

import base64
import logging
import os

import pytest

from nrs.endpoint.carrying import Carrying
from nrs.endpoint.liveness import State
from nrs.tunnel import wire
from nrs.tunnel.drop import Drop
from nrs.tunnel.handshake import Responder
from nrs.tunnel.orders import SendTrain
from nrs.tunnel.wire import Cipher, Hello, HelloAck, KeyMode, Objection, RouterFlag, Type
from tests.endpoint.fakes import OLD, Endpoint, config, identity

PSK = base64.b64encode(OLD).decode()
AES = Cipher.AES_256_GCM
ROUTER = Responder(identity("r1"), {0: OLD}, frozenset({KeyMode.SHARED}))


def cipher_of(hello: bytes) -> Cipher:
    return Hello.decode(hello[wire.HEADER_BYTES : -wire.TAG_BYTES]).cipher


def used(endpoint: Endpoint) -> Cipher:
    return endpoint.sessions[endpoint.session].record.secrets.cipher


def refuse(endpoint: Endpoint) -> Drop | None:
    offer = ROUTER.check(endpoint.hellos[-1])
    answer = ROUTER.refuse(offer, Objection.CIPHER, offer.hello.cipher, RouterFlag(0))
    return endpoint.handshake(Type.HELLO_ACK, answer)


def warnings(endpoint: Endpoint) -> list[str]:
    return [text for level, text in endpoint.told if level == logging.WARNING]


@pytest.fixture
def endpoint() -> Endpoint:
    """In clear text, its tunnel up."""
    made = Endpoint(psk=PSK)
    assert made.answer({0: OLD}) is None
    assert used(made) is Cipher.NONE
    return made


@pytest.mark.parametrize("cipher", Cipher, ids=lambda cipher: cipher.text)
def test_it_says_and_uses_what_its_file_names(cipher: Cipher) -> None:
    endpoint = Endpoint(psk=PSK, cipher=cipher.text)
    assert cipher_of(endpoint.hellos[-1]) is cipher
    assert endpoint.answer({0: OLD}) is None
    assert used(endpoint) is cipher


def test_a_changed_cipher_opens_a_new_session_while_the_old_one_serves(endpoint: Endpoint) -> None:
    old = endpoint.session
    endpoint.hellos.clear()
    endpoint.configure(config(psk=PSK, cipher=AES.text))
    assert [cipher_of(hello) for hello in endpoint.hellos] == [AES]
    assert endpoint.session == old
    assert endpoint.answer({0: OLD}) is None
    assert endpoint.session != old
    assert used(endpoint) is AES
    assert old in endpoint.sessions, "what is on its way through it still opens"
    assert Type.BYE not in [kind for _, kind in endpoint.said]
    assert any("and cipher aes-256-gcm" in text for _, text in endpoint.told)
    endpoint.wait(11)
    assert list(endpoint.sessions) == [endpoint.session]
    assert len(endpoint.hellos) == 1


def test_the_same_cipher_again_changes_nothing() -> None:
    endpoint = Endpoint(psk=PSK, cipher=AES.text)
    endpoint.answer({0: OLD})
    old = endpoint.session
    endpoint.hellos.clear()
    endpoint.configure(config(psk=PSK, cipher=AES.text, keepalive_interval=5))
    endpoint.wait(30)
    assert (endpoint.session, endpoint.hellos) == (old, [])


def test_a_cipher_that_changed_while_no_process_ran(endpoint: Endpoint) -> None:
    kept = endpoint.sessions[endpoint.session].record
    later = Endpoint(now=endpoint.now + 1, kept=[(kept, 0.0)], psk=PSK, cipher=AES.text)
    assert later.session == endpoint.session
    assert [cipher_of(hello) for hello in later.hellos] == [AES]
    later.answer({0: OLD})
    assert used(later) is AES
    again = Endpoint(
        now=later.now + 1,
        kept=[(later.sessions[later.session].record, 0.0)],
        psk=PSK,
        cipher=AES.text,
    )
    assert (again.session, again.hellos) == (later.session, [])


def test_a_refused_cipher_is_told_once_and_the_session_in_use_stays(endpoint: Endpoint) -> None:
    old = endpoint.session
    endpoint.configure(config(psk=PSK, cipher=AES.text))
    before = len(endpoint.hellos)
    for _ in range(3):
        assert refuse(endpoint) is Drop.SOURCE
        endpoint.wait(6)
    text = "r1 refuses cipher aes-256-gcm: it is not in its tunnel.ciphers"
    assert warnings(endpoint) == [text]
    assert endpoint.tunnel.refusal == text
    assert (endpoint.session, endpoint.tunnel.liveness.state) == (old, State.UP)
    assert len(endpoint.hellos) > before, "it goes on"
    endpoint.answer({0: OLD})
    assert (used(endpoint), endpoint.tunnel.refusal) == (AES, None)


def test_another_router_refuses_nothing() -> None:
    endpoint = Endpoint(psk=PSK, cipher=AES.text)
    other = Responder(identity("r2"), {0: OLD}, frozenset({KeyMode.SHARED}))
    offer = other.check(endpoint.hellos[-1])
    answer = other.refuse(offer, Objection.CIPHER, AES, RouterFlag(0))
    assert endpoint.handshake(Type.HELLO_ACK, answer) is Drop.SOURCE
    assert endpoint.tunnel.refusal is None


@pytest.mark.parametrize("other", [Cipher.NONE, Cipher.CHACHA20_POLY1305])
def test_an_answer_with_another_cipher_opens_nothing(other: Cipher) -> None:
    """Even of a router that holds the key: no session is less than the file says."""
    endpoint = Endpoint(psk=PSK, cipher=AES.text)
    offer = ROUTER.check(endpoint.hellos[-1])
    answer, _ = ROUTER.accept(offer, 77, RouterFlag(0), os.urandom)
    body = bytearray(answer[wire.HEADER_BYTES : -wire.TAG_BYTES])
    assert HelloAck.decode(bytes(body)).cipher is AES
    body[4] = other
    signed = answer[: wire.HEADER_BYTES] + bytes(body)
    datagram = signed + offer.tag_key.tag(signed)
    assert endpoint.handshake(Type.HELLO_ACK, datagram) is Drop.MALFORMED
    assert not endpoint.sessions


@pytest.mark.parametrize("cipher", Cipher, ids=lambda cipher: cipher.text)
def test_sizes_of_the_path_are_of_whole_datagrams(cipher: Cipher) -> None:
    endpoint = Endpoint(psk=PSK, cipher=cipher.text)
    endpoint.answer({0: OLD})
    endpoint.serve()
    overhead = 36 if cipher else 52
    lengths = {overhead + len(order.body) for order in endpoint._path_probes}
    assert {1280 - 28, 1500 - 28, 9000 - 28} <= lengths


@pytest.mark.parametrize("cipher", Cipher, ids=lambda cipher: cipher.text)
def test_trains_are_as_long_with_every_cipher(cipher: Cipher) -> None:
    carrying = Carrying("r1", lambda: None)
    carrying.begin(1, cipher, 0.0)
    (train,) = [order for order in carrying._trial() if isinstance(order, SendTrain)]
    overhead = 36 if cipher else 52
    assert {overhead + len(one.body) for one in train.datagrams} == {700}
