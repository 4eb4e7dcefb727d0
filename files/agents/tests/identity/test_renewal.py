"""Which tokens of a device are made anew, and why."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Address
from typing import Any

import pytest

from nrs.identity.credential import Credential, Role
from nrs.identity.renewal import Wanted, lacks
from nrs.identity.revocations import Revocations

ONE, OTHER = "http://192.0.2.10:8080", "http://192.0.2.11:8090"
ISSUED, DAY = 1_800_000_000.0, 86400.0
ADDRESS = IPv4Address("10.10.100.1")
WANTED = Wanted(Role.ENDPOINT, "endpoint_1", (ONE, OTHER), ADDRESS)
FIRST = Credential("00" * 8, Role.ENDPOINT, "endpoint_1", ONE, ISSUED, tun_ipv4=ADDRESS)
SECOND = replace(FIRST, serial="11" * 8, audience=OTHER)


def told(
    *held: Credential, wanted: Wanted = WANTED, revoked: Revocations | None = None, age: float = 0
) -> list[str]:
    return lacks(wanted, held, revoked or Revocations(), ISSUED + age * DAY, 30 * DAY)


def test_what_is_wanted_and_young_stays() -> None:
    assert told(FIRST, SECOND, age=29.9) == []
    assert told(wanted=replace(WANTED, audiences=())) == []


def test_one_that_is_missing() -> None:
    assert told(FIRST) == [f"{OTHER}: no token of the present signing key"]


@pytest.mark.parametrize(
    "changed",
    [
        {"role": Role.ROUTER},
        {"id": "endpoint_2"},
        {"tun_ipv4": None},
        {"tun_ipv4": IPv4Address("10.10.100.2")},
    ],
)
def test_one_that_says_something_else(changed: dict[str, Any]) -> None:
    wanted = replace(WANTED, **changed)
    assert told(FIRST, SECOND, wanted=wanted) == [
        f"{url}: for another role, id or address" for url in (ONE, OTHER)
    ]


def test_one_that_was_revoked() -> None:
    by_serial = Revocations(1, frozenset({FIRST.serial}))
    assert told(FIRST, SECOND, revoked=by_serial) == [f"{ONE}: revoked"]
    by_time = Revocations(1, issued_before={"endpoint_1": ISSUED + 1})
    assert told(FIRST, SECOND, revoked=by_time) == [f"{url}: revoked" for url in (ONE, OTHER)]


def test_old_ones() -> None:
    assert told(FIRST, SECOND, age=30) == [f"{url}: 30 days old" for url in (ONE, OTHER)]


def test_one_for_a_service_that_is_gone() -> None:
    gone = replace(WANTED, audiences=(ONE,))
    assert told(FIRST, SECOND, wanted=gone) == [f"{OTHER}: not a service that it calls"]
