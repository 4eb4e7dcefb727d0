from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from nrs.identity import issue, verifier
from nrs.identity.credential import Credential, CredentialRefused
from nrs.identity.revocations import Revocations
from nrs.identity.verifier import Verifier, verified

from .conftest import NOW, URL, Make

NONE = Revocations()


@pytest.fixture
def signatures(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every token whose signature is checked."""
    seen: list[str] = []

    def noted(token: str, keys: tuple[Ed25519PublicKey, ...]) -> Credential:
        seen.append(token)
        return verified(token, keys)

    monkeypatch.setattr(verifier, "verified", noted)
    return seen


def test_a_signature_is_checked_once(
    key: Ed25519PrivateKey, make: Make, signatures: list[str]
) -> None:
    credential, one = make(), Verifier([key.public_key()], [URL])
    token = issue.token(credential, key)
    assert [one.check(token, NONE, NOW) for _ in range(3)] == [credential] * 3
    assert signatures == [token]


def test_end_and_revocation_are_looked_at_each_time(key: Ed25519PrivateKey, make: Make) -> None:
    credential, one = make(lifetime=60.0), Verifier([key.public_key()], [URL])
    token = issue.token(credential, key)
    one.check(token, NONE, NOW)
    with pytest.raises(CredentialRefused, match="expired"):
        one.check(token, NONE, NOW + 60)
    with pytest.raises(CredentialRefused, match=f"^revoked: serial {credential.serial}$"):
        one.check(token, NONE.with_serials([credential.serial]), NOW)
    with pytest.raises(CredentialRefused, match="later than it is here"):
        one.check(token, NONE, NOW - 301)
    assert one.check(token, NONE, NOW) == credential


def test_another_text_is_another_token(key: Ed25519PrivateKey, make: Make) -> None:
    token, one = issue.token(make(), key), Verifier([key.public_key()], [URL])
    one.check(token, NONE, NOW)
    for other in (token + " ", token + "=", token.upper(), "\udcff" + token):
        with pytest.raises(CredentialRefused):
            one.check(other, NONE, NOW)


def test_the_memory_is_bounded_and_refused_tokens_take_none(
    key: Ed25519PrivateKey, stranger: Ed25519PrivateKey, make: Make, signatures: list[str]
) -> None:
    one = Verifier([key.public_key()], [URL], kept=2)
    good = [issue.token(make(), key) for _ in range(2)]
    bad = [issue.token(make(), stranger), issue.token(make(url="https://192.0.2.11"), key)]
    for token in good:
        one.check(token, NONE, NOW)
    for token in bad * 3:
        with pytest.raises(CredentialRefused):
            one.check(token, NONE, NOW)
    signatures.clear()
    for token in good:
        one.check(token, NONE, NOW)
    assert signatures == []
    third = issue.token(make(), key)
    for token in (third, third, good[1], good[0]):
        one.check(token, NONE, NOW)
    assert signatures == [third, good[0]]


def test_from_many_threads(key: Ed25519PrivateKey, make: Make) -> None:
    one = Verifier([key.public_key()], [URL], kept=3)
    credentials = [make() for _ in range(8)]
    tokens = [issue.token(credential, key) for credential in credentials] * 50
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda token: one.check(token, NONE, NOW), tokens))
    assert found == credentials * 50


def test_thousands_a_second(key: Ed25519PrivateKey, make: Make) -> None:
    """A bound with slack: it is some hundred thousands where nothing else runs."""
    one = Verifier([key.public_key()], [URL])
    tokens = [issue.token(make(), key) for _ in range(100)]
    for token in tokens:
        one.check(token, NONE, NOW)
    begin = time.process_time()
    for token in tokens * 100:
        one.check(token, NONE, NOW)
    assert 10_000 / (time.process_time() - begin) > 10_000


def test_keys_and_audiences_may_be_several(
    key: Ed25519PrivateKey, stranger: Ed25519PrivateKey, make: Make
) -> None:
    second = "https://[2001:db8::10]:8080"
    one = Verifier((k.public_key() for k in (key, stranger)), iter([URL, second]))
    for signer in (key, stranger):
        for url in (URL, second):
            credential = make(url=url)
            assert one.check(issue.token(credential, signer), NONE, NOW) == credential
