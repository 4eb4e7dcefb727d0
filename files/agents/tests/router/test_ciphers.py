"""A router takes the ciphers that its file names, and no other."""

from __future__ import annotations

import itertools
import os

import pytest

from nrs.tunnel import wire
from nrs.tunnel.control import Control
from nrs.tunnel.drop import Drop
from nrs.tunnel.handshake import CipherRefused, Initiator
from nrs.tunnel.record import Progress, Record
from nrs.tunnel.wire import Cipher, Type
from tests.router.driven import CLAIM, ELSEWHERE, Router, believed, config, peer, shared

ALL = [cipher.text for cipher in Cipher]
AES = Cipher.AES_256_GCM


_STAMPS = itertools.count(1)


def hello(cipher: Cipher, claim: wire.Claim = CLAIM) -> Initiator:
    return Initiator(shared(), claim, 7, os.urandom, next(_STAMPS), cipher=cipher)


def heard(router: Router, one: Initiator, number: int, claim: wire.Claim = CLAIM) -> Drop | None:
    """A HELLO from an address of its own; the router knows the claim."""
    believed(router.machine, claim)
    return router.hear_hello(one.hello(), peer(number))


def opened(router: Router, cipher: Cipher, claim: wire.Claim = CLAIM) -> int:
    """A session in use."""
    one = hello(cipher, claim)
    assert heard(router, one, 1, claim) is None
    assert one.finish(router.answers[-1])[1].cipher is cipher
    record = router.opened[-1].record
    assert record.secrets.cipher is cipher
    router.confirm(record.secrets.local_index)
    return record.secrets.local_index


@pytest.mark.parametrize("cipher", Cipher, ids=lambda cipher: cipher.text)
def test_what_is_named_is_accepted_and_all_else_refused(cipher: Cipher) -> None:
    router = Router(config(ciphers=[cipher.text]))
    assert opened(router, cipher)
    for number, other in enumerate(set(Cipher) - {cipher}):
        one = hello(other, ELSEWHERE)
        assert heard(router, one, 2 + number, ELSEWHERE) is Drop.SOURCE
        with pytest.raises(CipherRefused) as refused:
            one.finish(router.answers[-1])
        assert (refused.value.router_id, refused.value.cipher) == ("r", other)
        router.now += 2
        assert f"its cipher {other.text} is not in tunnel.ciphers" in router.told[-1].text
    assert len(router.sessions) == 1


def test_a_file_without_the_key_takes_clear_text_only() -> None:
    router = Router(config())
    assert heard(router, hello(AES), 1) is Drop.SOURCE
    assert opened(router, Cipher.NONE)


def test_who_holds_no_key_is_not_told_what_is_accepted() -> None:
    router = Router(config(ciphers=["none"]))
    stranger = Initiator(shared(bytes(32)), CLAIM, 7, os.urandom, cipher=AES)
    assert router.hear_hello(stranger.hello(), peer(1)) is Drop.TAG
    assert (router.answers, router.told) == ([], [])


def test_a_changed_cipher_replaces_the_session_of_the_same_endpoint() -> None:
    router = Router(config(ciphers=ALL))
    old = opened(router, Cipher.NONE)
    new = opened(router, AES)
    assert router.selected() == new != old
    assert old in router.sessions, "what is on its way through it still opens"
    assert router.byes == []


def test_sessions_of_a_cipher_that_is_given_up_end_with_a_bye() -> None:
    router = Router(config(ciphers=ALL))
    kept, lost = opened(router, AES), opened(router, Cipher.NONE, ELSEWHERE)
    router.reconfigure(config(ciphers=[AES.text]))
    assert (router.byes, list(router.sessions)) == ([lost], [kept])
    assert router.told[-1].text == (
        "tunnel to endpoint_2 is closed: its cipher none is no longer accepted"
    )


def test_a_session_before_the_change_of_cipher_goes_without_a_word() -> None:
    router = Router(config(ciphers=ALL))
    opened(router, Cipher.NONE)
    new = opened(router, AES)
    router.reconfigure(config(ciphers=[AES.text]))
    assert (router.byes, list(router.sessions)) == ([], [new])


@pytest.mark.parametrize(
    ("ciphers", "goes_on"), [(ALL, True), ([AES.text], True), (["none"], False)]
)
def test_a_session_of_an_earlier_process_needs_its_cipher(
    ciphers: list[str], goes_on: bool
) -> None:
    before = Router(config(ciphers=ALL))
    index = opened(before, AES)
    (order,) = [o for o in before.opened if o.record.secrets.local_index == index]
    record = Record.decode(order.record.encode())
    assert record == order.record
    later = Router(config(ciphers=ciphers))
    later.take(later.machine.resume(record, Progress(True, True, 1.0), later.now))
    assert (list(later.sessions) == [index]) is goes_on
    later.reconfigure(config(ciphers=["none"]))
    assert list(later.sessions) == []


@pytest.mark.parametrize("cipher", Cipher, ids=lambda cipher: cipher.text)
def test_a_path_probe_is_answered_by_one_as_long(cipher: Cipher) -> None:
    router = Router(config(ciphers=ALL))
    session = opened(router, cipher)
    for length in (100, 1452, 8972):
        body = wire.encode_path_probe(length, cipher)
        control = Control(Type.PATH_PROBE, 0, 0, 1, 5, body, cipher)
        assert control.length == length
        router.take(router.machine.handle_control(session, control, 0, 0, 51820, router.now))
        assert len(router.said[-1].body) == len(body)
        assert wire.decode_path_ack(router.said[-1].body, cipher) == length
