from __future__ import annotations

import hashlib
import hmac
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from nrs.tunnel import keys
from nrs.tunnel.keys import TagKey
from nrs.tunnel.wire import Claim
from tests.tunnel.router_key import own_key

MASTER = bytes(range(32))
CLAIM = Claim(
    "endpoint_1",
    ipaddress.IPv4Address("10.10.100.1"),
    ipaddress.IPv6Address("fd00:10:100::1"),
    (ipaddress.ip_network("10.20.0.0/16"),),
)


def hkdf(secret: bytes, salt: bytes, info: bytes, length: int) -> bytes:
    """RFC 5869, section 2, from HMAC alone."""
    prk = hmac.digest(salt or bytes(32), secret, "sha256")
    out, block = b"", b""
    for counter in range(1, -(-length // 32) + 1):
        block = hmac.digest(prk, block + info + bytes((counter,)), "sha256")
        out += block
    return out[:length]


def test_this_hkdf_is_rfc_5869s() -> None:
    """Appendix A.1."""
    assert hkdf(b"\x0b" * 22, bytes(range(13)), bytes(range(0xF0, 0xFA)), 42) == bytes.fromhex(
        "3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865"
    )


@given(key=st.binary(max_size=200), parts=st.lists(st.binary(max_size=200), max_size=4))
def test_the_tag_is_hmac_sha256(key: bytes, parts: list[bytes]) -> None:
    tag_key = TagKey(key)
    expected = hmac.digest(key, b"".join(parts), "sha256")
    assert tag_key.tag(*parts) == expected
    assert tag_key.verify(expected, *parts)
    assert tag_key.tag(*map(memoryview, parts)) == expected


def test_rfc_4231() -> None:
    """Test cases 2 and 6: a short key, and one longer than a block."""
    assert TagKey(b"Jefe").tag(b"what do ya want ", b"for nothing?").hex() == (
        "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
    )
    assert TagKey(b"\xaa" * 131).tag(
        b"Test Using Larger Than Block-Size Key - Hash Key First"
    ).hex() == ("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54")


def test_a_wrong_or_cut_tag_does_not_verify() -> None:
    key = TagKey(MASTER)
    tag = key.tag(b"body")
    for bit in range(256):
        wrong = bytearray(tag)
        wrong[bit // 8] ^= 1 << bit % 8
        assert not key.verify(bytes(wrong), b"body")
    for length in range(32):
        assert not key.verify(tag[:length], b"body")
    assert not key.verify(tag + b"\0", b"body")
    assert not key.verify(tag, b"bodY")
    assert not TagKey(bytes(32)).verify(tag, b"body")


def test_hello_key() -> None:
    expected = hkdf(MASTER, b"", b"nrs v2 hello", 32)
    assert keys.hello_key(MASTER).tag(b"x") == hmac.digest(expected, b"x", "sha256")


def test_device_key() -> None:
    info = b"nrs v2 device" + CLAIM.encode() + b"\x03"
    assert keys.device_key(MASTER, CLAIM, 3) == hkdf(MASTER, b"", info, 32)


@pytest.mark.parametrize(
    "other",
    [
        Claim("endpoint_2", CLAIM.tun_ipv4, CLAIM.tun_ipv6, CLAIM.prefixes),
        Claim("endpoint_1", ipaddress.IPv4Address("10.10.100.2"), CLAIM.tun_ipv6, CLAIM.prefixes),
        Claim(
            "endpoint_1", CLAIM.tun_ipv4, ipaddress.IPv6Address("fd00:10:100::2"), CLAIM.prefixes
        ),
        Claim("endpoint_1", CLAIM.tun_ipv4, CLAIM.tun_ipv6),
        Claim(
            "endpoint_1",
            CLAIM.tun_ipv4,
            CLAIM.tun_ipv6,
            (ipaddress.ip_network("10.20.0.0/15"),),
        ),
    ],
)
def test_a_device_key_is_bound_to_every_part_of_the_claim(other: Claim) -> None:
    assert keys.device_key(MASTER, other, 0) != keys.device_key(MASTER, CLAIM, 0)


def test_and_to_the_epoch_and_the_master() -> None:
    assert keys.device_key(MASTER, CLAIM, 1) != keys.device_key(MASTER, CLAIM, 0)
    assert keys.device_key(MASTER[::-1], CLAIM, 0) != keys.device_key(MASTER, CLAIM, 0)


def test_session_keys() -> None:
    shared, nonces = b"s" * 32, b"i" * 32 + b"r" * 32
    transcript = hashlib.sha256(b"HELLO and HELLO_ACK").digest()
    okm = hkdf(shared + MASTER, nonces, b"nrs v2 session" + transcript, 64)
    assert keys.session_keys(MASTER, shared, nonces, transcript) == (okm[:32], okm[32:])


def test_each_direction_has_its_own_key_and_everything_counts() -> None:
    base = (MASTER, b"s" * 32, b"n" * 64, b"t" * 32)
    seen = set(keys.session_keys(*base))
    assert len(seen) == 2
    for changed in range(4):
        arguments = list(base)
        arguments[changed] = arguments[changed][:-1] + b"\xff"
        seen.update(keys.session_keys(*arguments))
    assert len(seen) == 10


def test_nothing_leads_from_one_routers_keys_to_anothers() -> None:
    made = {
        own_key(MASTER, router, epoch) for router in ("router_1", "router_2") for epoch in (0, 1)
    }
    devices = {keys.device_key(key, CLAIM, 0) for key in {*made, MASTER}}
    assert len(made | devices | {MASTER}) == 10
    # What is derived goes by HKDF, whose input its output does not tell (RFC 5869).
    for router in ("router_1", "router_2"):
        info = b"nrs v2 router" + router.encode() + b"\0"
        assert own_key(MASTER, router, 0) == hkdf(MASTER, b"", info, 32)
