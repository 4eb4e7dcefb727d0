from __future__ import annotations

from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from nrs.identity import issue
from nrs.identity.revocations import Revocations, RevocationsRefused, read, signed
from nrs.identity.signed import Kind, sign

from .conftest import NOW, Make

FIRST = Revocations().with_serials(["00000000000000aa"])


def test_by_serial(make: Make) -> None:
    one, other = make(), make()
    revoked = Revocations().with_serials([one.serial])
    assert revoked.refuses(one)
    assert not revoked.refuses(other)
    assert not Revocations().refuses(one)


def test_by_id_and_time(make: Make) -> None:
    revoked = Revocations().with_id("endpoint_1", NOW)
    assert revoked.refuses(make(now=NOW - 0.001))
    assert not revoked.refuses(make(now=NOW))
    assert not revoked.refuses(make(now=NOW - 1, id="endpoint_2"))


def test_what_is_revoked_stays_revoked() -> None:
    later = FIRST.with_id("a", 5.0).with_id("a", 3.0).with_id("b", 1.0).with_serials(["cc"])
    assert later == Revocations(5, FIRST.serials | {"cc"}, {"a": 5.0, "b": 1.0})


def test_serials_that_refuse_nothing_any_more_are_left_out(make: Make) -> None:
    ended, ends_later, endless = make(lifetime=60.0), make(lifetime=90_000.0), make()
    of_id = make(id="endpoint_2")
    every = (ended, ends_later, endless, of_id)
    revoked = Revocations().with_serials([*(one.serial for one in every), "f" * 16])
    revoked = revoked.with_id("endpoint_2", NOW + 1)
    left = {ends_later.serial, endless.serial, "f" * 16}
    # A day after its end, as a service's clock may be late.
    assert revoked.needed(every, NOW + 60 + 86400).serials == left | {ended.serial}
    needed = revoked.needed(every, NOW + 61 + 86400)
    assert needed.serials == left
    assert needed.issued_before == revoked.issued_before
    assert all(needed.refuses(one) for one in (ends_later, endless, of_id))


def test_only_a_higher_number_replaces() -> None:
    second = FIRST.with_serials(["bb"])
    assert FIRST.newer(Revocations())
    assert second.newer(FIRST)
    assert not second.newer(second)
    with pytest.raises(RevocationsRefused, match="number 1 is older than number 2"):
        FIRST.newer(second)
    with pytest.raises(RevocationsRefused, match="another list of the number 2"):
        FIRST.with_id("endpoint_1", NOW).newer(second)


@given(
    st.integers(0, 2**53),
    st.frozensets(st.text("0123456789abcdef", min_size=16, max_size=16)),
    st.dictionaries(st.text(min_size=1), st.floats(0, 1e11)),
)
def test_a_list_is_read_as_it_was_signed(
    key: Ed25519PrivateKey, number: int, serials: frozenset[str], before: dict[str, float]
) -> None:
    one = Revocations(number, serials, before)
    assert read(signed(one, key), [key.public_key()]) == one


@given(st.data())
def test_no_bit_of_a_list_may_differ(key: Ed25519PrivateKey, data: st.DataObject) -> None:
    text = signed(FIRST, key).encode()
    place = data.draw(st.integers(0, len(text) - 1))
    flipped = text[place] ^ 1 << data.draw(st.integers(0, 7))
    other = text[:place] + bytes([flipped]) + text[place + 1 :]
    with pytest.raises(RevocationsRefused):
        read(other.decode("latin-1"), [key.public_key()])


def test_of_another_deployment(key: Ed25519PrivateKey, stranger: Ed25519PrivateKey) -> None:
    with pytest.raises(RevocationsRefused, match="not signed by this deployment"):
        read(signed(FIRST, stranger), [key.public_key()])


def test_a_token_is_no_list(key: Ed25519PrivateKey, make: Make) -> None:
    with pytest.raises(RevocationsRefused, match="not of the type"):
        read(issue.token(make(), key), [key.public_key()])


GOOD: dict[str, Any] = {"number": 1, "serials": [], "issued_before": {}}


@pytest.mark.parametrize(
    "claims",
    [
        {"number": -1},
        {"number": True},
        {"number": "1"},
        {"number": 1.5},
        {"serials": None},
        {"serials": [1]},
        {"serials": "aa"},
        {"issued_before": []},
        {"issued_before": {"a": "now"}},
        {"issued_before": {"a": False}},
        {"issued_before": {"a": float("nan")}},
    ],
    ids=str,
)
def test_signed_claims_of_another_form(key: Ed25519PrivateKey, claims: dict[str, Any]) -> None:
    assert read(sign(GOOD, Kind.REVOCATIONS, key), [key.public_key()]) == Revocations(1)
    text = sign({**GOOD, **claims}, Kind.REVOCATIONS, key)
    with pytest.raises(RevocationsRefused, match="another form"):
        read(text, [key.public_key()])
