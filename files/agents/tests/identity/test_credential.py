from __future__ import annotations

import base64
import hashlib
import hmac
import json
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from nrs.identity import issue
from nrs.identity.credential import CredentialRefused, Role
from nrs.identity.keys import public_text
from nrs.identity.revocations import Revocations, signed
from nrs.identity.signed import Kind, sign
from nrs.identity.verifier import check

from .conftest import NOW, URL, Make

HERE = frozenset({URL})


def refusal(token: str, key: Ed25519PrivateKey, now: float = NOW) -> str:
    with pytest.raises(CredentialRefused) as caught:
        check(token, [key.public_key()], HERE, now)
    assert token not in str(caught.value) or not token
    return str(caught.value)


def encoded(value: Any) -> str:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


@pytest.mark.parametrize(
    "stated",
    [
        {},
        {"lifetime": 60.0},
        {"tun_ipv4": IPv4Address("10.0.0.9"), "tun_ipv6": IPv6Address("fd00::9")},
        {"role": Role.ROUTER, "id": "router_1"},
        {"role": Role.OPERATOR, "id": "jane", "lifetime": 300.0},
        {"role": Role.MONITOR, "id": "grafana", "lifetime": 86400.0},
        {"role": Role.SERVICE, "id": "balancer_1"},
    ],
)
def test_a_token_says_what_was_issued(
    key: Ed25519PrivateKey, make: Make, stated: dict[str, Any]
) -> None:
    credential = make(**stated)
    assert check(issue.token(credential, key), [key.public_key()], HERE, NOW) == credential


def test_one_of_several_keys_is_enough(
    key: Ed25519PrivateKey, stranger: Ed25519PrivateKey, make: Make
) -> None:
    token = issue.token(make(), key)
    check(token, [stranger.public_key(), key.public_key()], HERE, NOW)
    with pytest.raises(CredentialRefused, match="not signed by this deployment"):
        check(token, [stranger.public_key()], HERE, NOW)
    with pytest.raises(CredentialRefused, match="not signed by this deployment"):
        check(token, [], HERE, NOW)


def test_only_for_the_instance_that_it_names(key: Ed25519PrivateKey, make: Make) -> None:
    token = issue.token(make(url="https://192.0.2.11:8080"), key)
    assert refusal(token, key) == "for another service: https://192.0.2.11:8080"


def test_until_its_end_and_not_at_it(key: Ed25519PrivateKey, make: Make) -> None:
    token = issue.token(make(lifetime=60.0), key)
    check(token, [key.public_key()], HERE, NOW + 59.9)
    assert refusal(token, key, NOW + 60) == "expired on 2027-01-15 08:01 UTC"


def test_a_clock_may_be_five_minutes_behind(key: Ed25519PrivateKey, make: Make) -> None:
    token = issue.token(make(), key)
    check(token, [key.public_key()], HERE, NOW - 300)
    assert refusal(token, key, NOW - 300.1).startswith("issued on 2027-01-15 08:00 UTC, later")


def test_the_shared_secret_has_a_hint(key: Ed25519PrivateKey) -> None:
    assert "nrs token create --role ROLE --id ID --service URL" in refusal("5ecre7" * 8, key)


@pytest.mark.parametrize(
    "token", ["", "a.b.c", "ü" * 40 + "..", "\ud800..", "a" * 5000, "." * 5000]
)
def test_what_is_no_token(key: Ed25519PrivateKey, token: str) -> None:
    assert refusal(token, key).startswith(("not a token: ", "a shared secret is not accepted"))


@given(st.data())
def test_no_bit_of_a_token_may_differ(
    key: Ed25519PrivateKey, make: Make, data: st.DataObject
) -> None:
    token = issue.token(make(), key).encode()
    place = data.draw(st.integers(0, len(token) - 1))
    bit = data.draw(st.integers(0, 7))
    other = token[:place] + bytes([token[place] ^ 1 << bit]) + token[place + 1 :]
    refusal(other.decode("latin-1"), key)


def test_no_other_digit_at_the_end_either(key: Ed25519PrivateKey, make: Make) -> None:
    """The last one carries two bits, which a lenient decoder reads out of 16 digits each."""
    token = issue.token(make(), key)
    taken = set()
    for digit in "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_=":
        try:
            check(token[:-1] + digit, [key.public_key()], HERE, NOW)
        except CredentialRefused:
            continue
        taken.add(digit)
    assert taken == {token[-1]}
    refusal(f"{token[:-3]}\n{token[-3:]}", key)


@given(st.binary(max_size=300), st.binary(max_size=300), st.binary(min_size=64, max_size=64))
def test_whatever_comes_is_refused_with_words(
    key: Ed25519PrivateKey, header: bytes, payload: bytes, signature: bytes
) -> None:
    assert refusal(f"{encoded(header)}.{encoded(payload)}.{encoded(signature)}", key)


@pytest.mark.parametrize(
    "header",
    [
        {"alg": "none"},
        {"alg": ["EdDSA"]},
        {"alg": "EdDSA", "b64": False, "crit": ["b64"]},
        {"alg": "EdDSA", "kid": 1},
        {},
        [],
        b"[" * 2500,
        b'{"alg":' + b"[" * 2500,
        b"\xff",
    ],
)
def test_headers_that_were_never_ours(
    key: Ed25519PrivateKey, make: Make, header: dict[str, Any] | bytes
) -> None:
    payload = encoded(make().claims())
    assert refusal(f"{encoded(header)}.{payload}.{'A' * 86}", key).startswith("not signed by")
    assert refusal(f"{encoded(header)}.{payload}.", key).startswith("not a token")


@pytest.mark.parametrize("algorithm", ["HS256", "HS512"])
def test_the_public_key_is_no_secret_to_sign_with(
    key: Ed25519PrivateKey, make: Make, algorithm: str
) -> None:
    """Algorithm confusion, RFC 8725 section 2.1; filled up to the length of a signature too."""
    header = encoded({"alg": algorithm, "typ": Kind.TOKEN.value})
    signing = f"{header}.{encoded(make().claims())}"
    hashed = hashlib.sha256 if algorithm == "HS256" else hashlib.sha512
    for secret in (public_text([key.public_key()]).encode(), key.public_key().public_bytes_raw()):
        digest = hmac.digest(secret, signing.encode(), hashed)
        refusal(f"{signing}.{encoded(digest)}", key)
        refusal(f"{signing}.{encoded(digest.ljust(64, bytes(1)))}", key)


def test_a_list_of_revocations_is_no_token(key: Ed25519PrivateKey, make: Make) -> None:
    assert "not of the type" in refusal(signed(Revocations(1), key), key)
    assert "not of the type" in refusal(sign(make().claims(), Kind.REVOCATIONS, key), key)


WRONG: list[dict[str, Any]] = [
    {"role": "root"},
    {"role": None},
    {"role": ["operator"]},
    {"jti": "12"},
    {"jti": 12},
    {"sub": ""},
    {"sub": "two words"},
    {"sub": "x\n"},
    {"sub": "x" * 65},
    {"aud": [URL]},
    {"aud": "192.0.2.10"},
    {"iat": "now"},
    {"iat": True},
    {"iat": float("nan")},
    {"exp": float("inf")},
    {"exp": -1},
    {"exp": 1e300},
    {"tun_ipv4": "fd00::1"},
    {"tun_ipv6": 7},
    {"role": "operator"},
    {"role": "monitor"},
]


@pytest.mark.parametrize("claims", WRONG, ids=str)
def test_signed_claims_of_another_form_are_refused(
    key: Ed25519PrivateKey, make: Make, claims: dict[str, Any]
) -> None:
    token = sign({**make().claims(), **claims}, Kind.TOKEN, key)
    assert refusal(token, key).startswith("not a token: ")


@pytest.mark.parametrize("claim", ["role", "jti", "sub", "aud", "iat"])
def test_every_claim_is_needed(key: Ed25519PrivateKey, make: Make, claim: str) -> None:
    claims = make().claims()
    del claims[claim]
    assert refusal(sign(claims, Kind.TOKEN, key), key) == f"not a token: it has no {claim}"


@pytest.mark.parametrize("payload", [b"[]", b"1", b"no json", b"[" * 2500])
def test_signed_claims_that_are_no_object(
    key: Ed25519PrivateKey, monkeypatch: pytest.MonkeyPatch, payload: bytes
) -> None:
    monkeypatch.setattr(json, "dumps", lambda *_, **__: payload.decode())
    token = sign({}, Kind.TOKEN, key)
    monkeypatch.undo()
    assert refusal(token, key)
