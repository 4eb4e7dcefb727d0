"""Tunnels on the list of revocations."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from nrs.identity.revocations import OlderList, Revocations, RevocationsRefused, read, signed
from nrs.identity.revoked_tunnels import GENERATIONS, RevokedTunnels
from nrs.identity.signed import Kind, sign

FIRST = RevokedTunnels().with_endpoint("endpoint_1", 3).with_router("router_a")
EARLIER: dict[str, Any] = {"number": 4, "serials": ["aa"], "issued_before": {"b": 1.0}}
"""What an earlier release has signed."""


def test_an_endpoints_keys_below_a_generation() -> None:
    assert [FIRST.endpoint("endpoint_1", g) for g in (0, 2, 3, 4)] == [True, True, False, False]
    assert not FIRST.endpoint("endpoint_2", 0)
    assert not FIRST.endpoint("router_a", 0)
    every = FIRST.with_endpoint("endpoint_1", GENERATIONS)
    assert every.endpoint("endpoint_1", GENERATIONS - 1)


def test_a_router() -> None:
    assert FIRST.router("router_a")
    assert not FIRST.router("router_b")
    assert not FIRST.router("endpoint_1")


@pytest.mark.parametrize(
    ("below", "revoked", "good"),
    [(3, [0, 1, 2, 255, 132], [3, 4, 130, 131]), (0, [255, 129], [0, 1, 127, 128])],
)
def test_epochs_come_round(below: int, revoked: list[int], good: list[int]) -> None:
    tunnels = RevokedTunnels().with_epochs_below(below)
    assert [e for e in (*revoked, *good) if tunnels.epoch(e)] == revoked


@given(st.integers(0, 255), st.integers(1, 127))
def test_an_epoch_that_was_revoked_stays_so(below: int, step: int) -> None:
    before = RevokedTunnels().with_epochs_below(below)
    later = before.with_epochs_below((below + step) % 256)
    assert later.epoch(below)
    assert later.with_epochs_below(below) == later
    assert before.with_epochs_below(below) == before


def test_what_is_revoked_stays_revoked() -> None:
    again = FIRST.with_endpoint("endpoint_1", 1).with_router("router_a")
    assert again == FIRST
    assert FIRST.with_endpoint("endpoint_1", 5).endpoints == {"endpoint_1": 5}


def test_a_device_that_is_taken_off() -> None:
    both = FIRST.with_router("endpoint_1").with_epochs_below(2)
    left = both.without("endpoint_1")
    assert left == RevokedTunnels(routers=frozenset(["router_a"]), epochs_below=2)
    assert left.without("nobody") == left


def test_what_services_refuse_is_all_of_a_device_and_not_signed(key: Ed25519PrivateKey) -> None:
    more = FIRST.with_besides(["x"])
    assert more.endpoint("x", GENERATIONS - 1)
    assert more.router("x")
    text = signed(Revocations(1, tunnels=more), key)
    assert read(text, [key.public_key()]).tunnels == FIRST


IDS = st.text("abcdefgh_-.019", min_size=1, max_size=8)


@given(
    st.dictionaries(IDS, st.integers(0, GENERATIONS)),
    st.frozensets(IDS),
    st.none() | st.integers(0, 255),
)
def test_a_list_is_read_as_it_was_signed(
    key: Ed25519PrivateKey, endpoints: dict[str, int], routers: frozenset[str], epoch: int | None
) -> None:
    one = Revocations(7, tunnels=RevokedTunnels(endpoints, routers, epoch))
    assert read(signed(one, key), [key.public_key()]) == one


def test_tokens_and_tunnels_are_one_list_with_one_number() -> None:
    list_ = Revocations().with_serials(["aa"]).with_tunnels(FIRST).with_id("b", 1.0)
    assert list_ == Revocations(3, frozenset(["aa"]), {"b": 1.0}, FIRST)
    with pytest.raises(OlderList):
        list_.with_serials(["bb"]).newer(replace(list_, number=9))
    with pytest.raises(RevocationsRefused, match="another list of the number 3"):
        replace(list_, tunnels=RevokedTunnels()).newer(list_)


def test_a_list_of_an_earlier_release_revokes_no_tunnel(key: Ed25519PrivateKey) -> None:
    found = read(sign(EARLIER, Kind.REVOCATIONS, key), [key.public_key()])
    assert found == Revocations(4, frozenset(["aa"]), {"b": 1.0}, RevokedTunnels())


@pytest.mark.parametrize(
    "claims",
    [
        {"endpoints_below": []},
        {"endpoints_below": {"a": -1}},
        {"endpoints_below": {"a": GENERATIONS + 1}},
        {"endpoints_below": {"a": True}},
        {"endpoints_below": {"a": 1.0}},
        {"routers": "ab"},
        {"routers": [1]},
        {"routers": {"a": 1}},
        {"epochs_below": -1},
        {"epochs_below": 256},
        {"epochs_below": False},
        {"epochs_below": "1"},
    ],
    ids=str,
)
def test_signed_claims_of_another_form(key: Ed25519PrivateKey, claims: dict[str, Any]) -> None:
    good = {**EARLIER, **FIRST.claims()}
    assert read(sign(good, Kind.REVOCATIONS, key), [key.public_key()]).tunnels == FIRST
    with pytest.raises(RevocationsRefused, match="another form"):
        read(sign({**good, **claims}, Kind.REVOCATIONS, key), [key.public_key()])


@pytest.mark.parametrize("number", [2, 3, 9])
def test_a_list_that_does_not_know_of_tunnels_has_none_accepted_again(
    key: Ed25519PrivateKey, number: int
) -> None:
    held = Revocations(number=1).with_tunnels(FIRST)
    earlier = read(
        sign({**EARLIER, "number": number + 1}, Kind.REVOCATIONS, key), [key.public_key()]
    )
    with pytest.raises(RevocationsRefused, match="earlier release"):
        earlier.newer(held)
    assert earlier.newer(Revocations(number=number)), "where nothing is revoked"
    emptied = read(signed(held.with_tunnels(RevokedTunnels()), key), [key.public_key()])
    assert emptied.newer(held), "who knows of them may take them off"
