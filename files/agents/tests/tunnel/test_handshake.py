from __future__ import annotations

import ipaddress
import os
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from nrs.tunnel import keys, wire
from nrs.tunnel.handshake import (
    BadTag,
    HandshakeError,
    Identity,
    Initiator,
    Responder,
    SessionSecrets,
    StaticKey,
    proves,
    succession_key,
)
from nrs.tunnel.wire import Claim, HelloAck, KeyMode, RouterFlag, Type

PSK = bytes(range(32))
OTHER = bytes(range(100, 132))
TUN4 = ipaddress.IPv4Address("10.10.100.1")
TUN6 = ipaddress.IPv6Address("fd00:10:100::1")
CLAIM = Claim("endpoint_1", TUN4, TUN6)
IDENTITY = Identity(
    "router_1", ipaddress.IPv4Address("10.10.1.1"), ipaddress.IPv6Address("fd00:10:1::1")
)
SHARED = frozenset({KeyMode.SHARED})
BOTH = frozenset(KeyMode)

# RFC 7748 section 6.1 wants these refused: points of order 1, 2, 4 and 8 and their twins.
LOW_ORDER = [
    "00" * 32,
    "01" + "00" * 31,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ec" + "ff" * 30 + "7f",
    "ed" + "ff" * 30 + "7f",
    "ee" + "ff" * 30 + "7f",
]


def initiator(static: StaticKey | None = None, claim: Claim = CLAIM) -> Initiator:
    return Initiator(static or StaticKey(PSK), claim, 11, os.urandom)


def responder(
    masters: dict[int, bytes] | None = None, modes: frozenset[KeyMode] = SHARED
) -> Responder:
    return Responder(IDENTITY, masters or {0: PSK}, modes)


def shake(
    one: Initiator, other: Responder, flags: RouterFlag = RouterFlag.EGRESS_DOWN
) -> tuple[SessionSecrets, SessionSecrets, HelloAck]:
    answer, theirs = other.accept(other.check(one.hello()), 22, flags, os.urandom)
    ack, ours = one.finish(answer)
    return ours, theirs, ack


def assert_matched(ours: SessionSecrets, theirs: SessionSecrets) -> None:
    assert ours.send_key == theirs.receive_key
    assert ours.receive_key == theirs.send_key
    assert ours.send_key != ours.receive_key
    assert (ours.local_index, ours.peer_index) == (theirs.peer_index, theirs.local_index)
    assert ours.key_id == theirs.key_id


def resigned(datagram: bytes, change: Callable[[bytearray], None], secret: bytes = PSK) -> bytes:
    """A datagram with another content and a right tag: what a holder of the key could send."""
    signed = bytearray(datagram[: -wire.TAG_BYTES])
    change(signed)
    return bytes(signed) + keys.hello_key(secret).tag(signed)


def test_both_ends_agree() -> None:
    ours, theirs, ack = shake(initiator(), responder(), RouterFlag.DRAINING)
    assert_matched(ours, theirs)
    assert (ours.local_index, ours.peer_index) == (11, 22)
    assert (ack.router_id, ack.tun_ipv4, ack.tun_ipv6) == (
        "router_1",
        IDENTITY.tun_ipv4,
        IDENTITY.tun_ipv6,
    )
    assert ack.flags == RouterFlag.DRAINING


def test_every_handshake_has_fresh_keys() -> None:
    one, other = initiator(), responder()
    seen = set()
    for _ in range(3):  # the very same HELLO, answered anew
        answer, theirs = other.accept(other.check(one.hello()), 22, RouterFlag(0), os.urandom)
        _, ours = one.finish(answer)
        assert_matched(ours, theirs)
        seen |= {ours.send_key, ours.receive_key}
    assert len(seen) == 6


def test_a_repeated_hello_is_the_same_bytes() -> None:
    one = initiator()
    assert one.hello() == one.hello()


@pytest.mark.parametrize("key_id", [0, 1, 255])
def test_device_keys_of_any_epoch(key_id: int) -> None:
    claim = Claim("endpoint_1", TUN4, TUN6, (ipaddress.ip_network("10.20.0.0/16"),))
    device = StaticKey(keys.device_key(PSK, claim, key_id), KeyMode.DEVICE, key_id)
    other = responder({0: OTHER, key_id: PSK} if key_id else {0: PSK}, BOTH)
    ours, theirs, _ = shake(initiator(device, claim), other)
    assert_matched(ours, theirs)
    assert ours.key_id == key_id


@pytest.mark.parametrize(
    "claim",
    [
        Claim("endpoint_2", TUN4, TUN6),
        Claim("endpoint_1", TUN4 + 1, TUN6),
        Claim("endpoint_1", TUN4, TUN6 + 1),
        Claim("endpoint_1", TUN4, TUN6, (ipaddress.ip_network("10.20.0.0/16"),)),
    ],
)
def test_a_device_key_opens_only_its_own_claim(claim: Claim) -> None:
    device = StaticKey(keys.device_key(PSK, CLAIM, 0), KeyMode.DEVICE)
    with pytest.raises(BadTag):
        responder(modes=BOTH).check(initiator(device, claim).hello())


def test_a_device_key_is_no_shared_key() -> None:
    device = keys.device_key(PSK, CLAIM, 0)
    with pytest.raises(BadTag):
        responder(modes=BOTH).check(initiator(StaticKey(device, KeyMode.SHARED)).hello())


def test_another_key_is_a_bad_tag_at_both_ends() -> None:
    one = initiator(StaticKey(OTHER))
    with pytest.raises(BadTag):
        responder().check(one.hello())
    good = initiator()
    answer, _ = responder().accept(responder().check(good.hello()), 22, RouterFlag(0), os.urandom)
    with pytest.raises(BadTag):
        one.finish(answer)


def test_a_key_id_that_is_not_held_is_a_bad_tag() -> None:
    with pytest.raises(BadTag):
        responder().check(initiator(StaticKey(PSK, key_id=1)).hello())


def test_a_mode_that_is_not_allowed_is_refused_whatever_the_key() -> None:
    device = StaticKey(keys.device_key(PSK, CLAIM, 0), KeyMode.DEVICE)
    with pytest.raises(HandshakeError, match="device") as refused:
        responder(modes=SHARED).check(initiator(device).hello())
    assert not isinstance(refused.value, BadTag)
    with pytest.raises(HandshakeError, match="shared"):
        responder(modes=frozenset({KeyMode.DEVICE})).check(initiator().hello())


def test_a_hello_proves_that_its_sender_has_the_session_before() -> None:
    other = responder()
    ours, theirs, _ = shake(initiator(), other)
    key = succession_key(theirs)
    next_one = Initiator(StaticKey(PSK), CLAIM, 11, os.urandom, present=ours)
    hello = other.check(next_one.hello()).hello
    assert proves(hello, key)
    assert not proves(other.check(initiator().hello()).hello, key), "says of none"
    another, _, _ = shake(initiator(), other)
    stranger = Initiator(StaticKey(PSK), CLAIM, 11, os.urandom, present=another)
    assert not proves(other.check(stranger.hello()).hello, key)


@pytest.mark.parametrize("field", ["nonce", "public"])
def test_a_proof_is_good_for_its_own_hello_alone(field: str) -> None:
    """A holder of the static key cannot put one that it has seen into a HELLO of its own."""
    other = responder()
    ours, theirs, _ = shake(initiator(), other)
    seen = other.check(Initiator(StaticKey(PSK), CLAIM, 11, os.urandom, present=ours).hello()).hello
    forged = replace(seen, **{field: os.urandom(32)})  # type: ignore[arg-type]
    assert not proves(forged, succession_key(theirs))


def test_an_answer_to_another_hello() -> None:
    one, two, other = initiator(), initiator(), responder()
    answer, _ = other.accept(other.check(one.hello()), 22, RouterFlag(0), os.urandom)
    with pytest.raises(HandshakeError, match="another"):
        two.finish(answer)


@pytest.mark.parametrize("point", LOW_ORDER)
def test_low_order_points_are_refused(point: str) -> None:
    public = bytes.fromhex(point)
    one, other = initiator(), responder()

    def to_hello(signed: bytearray) -> None:
        signed[20 + 48 : 20 + 80] = public

    def to_ack(signed: bytearray) -> None:
        signed[20 + 40 : 20 + 72] = public

    offer = other.check(resigned(one.hello(), to_hello))
    assert offer.hello.public == public
    with pytest.raises(HandshakeError, match="low order"):
        other.accept(offer, 22, RouterFlag(0), os.urandom)
    answer, _ = other.accept(other.check(one.hello()), 22, RouterFlag(0), os.urandom)
    with pytest.raises(HandshakeError, match="low order"):
        one.finish(resigned(answer, to_ack))


def test_no_truncation_and_no_flipped_bit_passes() -> None:
    one, other = initiator(), responder()
    hello = one.hello()
    answer, _ = other.accept(other.check(hello), 22, RouterFlag(0), os.urandom)
    for datagram, receive in ((hello, other.check), (answer, one.finish)):
        for length in range(len(datagram)):
            with pytest.raises(HandshakeError):
                receive(datagram[:length])
        with pytest.raises(HandshakeError):
            receive(datagram + b"\0")
        for bit in range(8 * len(datagram)):
            flipped = bytearray(datagram)
            flipped[bit // 8] ^= 1 << bit % 8
            with pytest.raises(HandshakeError):
                receive(bytes(flipped))


@given(endpoint=st.from_regex(r"\A[a-z0-9]{1,64}\Z"), router=st.from_regex(r"\A[a-z0-9]{1,64}\Z"))
@settings(max_examples=25)
def test_the_answer_is_never_longer_than_the_question(endpoint: str, router: str) -> None:
    one = initiator(claim=Claim(endpoint, TUN4, TUN6))
    other = Responder(Identity(router, TUN4, TUN6), {0: PSK}, SHARED)
    answer, _ = other.accept(other.check(one.hello()), 22, RouterFlag(0), os.urandom)
    assert len(answer) <= len(one.hello())
    assert one.finish(answer)[0].router_id == router


def test_headers_of_the_handshake() -> None:
    one, other = initiator(), responder()
    answer, _ = other.accept(other.check(one.hello()), 22, RouterFlag(0), os.urandom)
    assert wire.HEADER.unpack_from(one.hello()) == (0x20 | Type.HELLO, 0, 0, 0, 0, 0, 0)
    assert wire.HEADER.unpack_from(answer) == (0x20 | Type.HELLO_ACK, 0, 0, 0, 11, 0, 0)


def test_the_transcript_covers_both_datagrams() -> None:
    """An answer changed on its way by a holder of the PSK gives keys that do not match."""
    one, other = initiator(), responder()
    answer, theirs = other.accept(other.check(one.hello()), 22, RouterFlag(0), os.urandom)

    def drain(signed: bytearray) -> None:
        signed[20 + 6] ^= RouterFlag.DRAINING

    _, ours = one.finish(resigned(answer, drain))
    assert ours.send_key != theirs.receive_key
    assert ours.receive_key != theirs.send_key


def test_the_same_randomness_gives_the_same_hello() -> None:
    def hello(private: bytes, nonce: bytes) -> bytes:
        stream = iter([private, nonce])
        return Initiator(StaticKey(PSK), CLAIM, 11, lambda _: next(stream)).hello()

    assert hello(b"\1" * 32, b"\2" * 32) == hello(b"\1" * 32, b"\2" * 32)
    assert hello(b"\1" * 32, b"\2" * 32)[36:68] == b"\2" * 32
    assert hello(b"\1" * 32, b"\2" * 32) != hello(b"\3" * 32, b"\2" * 32)
