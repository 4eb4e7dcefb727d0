from __future__ import annotations

from ipaddress import IPv4Address
from typing import Any

import pytest

from nrs.identity.credential import Role
from nrs.identity.issue import CannotIssue

from .conftest import NOW, URL, Make


def test_what_is_stated_is_rounded_and_normalised(make: Make) -> None:
    made = make(url="HTTPS://Balancer.Example.net/x", now=NOW + 0.12345, lifetime=60.0)
    assert made.audience == "https://balancer.example.net:443"
    assert (made.issued, made.expires) == (NOW + 0.123, NOW + 60.123)


def test_the_serial_is_8_random_bytes(make: Make) -> None:
    assert make(random=lambda size: bytes(range(size))).serial == "0001020304050607"


@pytest.mark.parametrize(
    ("stated", "problem"),
    [
        ({"role": Role.OPERATOR, "id": "jane"}, "role operator needs an end"),
        ({"role": Role.MONITOR, "id": "jane"}, "role monitor needs an end"),
        ({"role": Role.SERVICE, "tun_ipv4": IPv4Address("10.0.0.1")}, "no tunnel address"),
        ({"lifetime": 0.0}, "ends after it is issued"),
        ({"lifetime": float("nan")}, "ends after it is issued"),
        ({"lifetime": float("inf")}, "inf is not a time"),
        ({"url": "192.0.2.10"}, "'192.0.2.10' is no URL"),
        ({"id": ""}, "'' is not"),
        ({"id": "two words"}, "'two words' is not"),
    ],
)
def test_what_is_not_issued(make: Make, stated: dict[str, Any], problem: str) -> None:
    with pytest.raises(CannotIssue, match=problem):
        make(url=stated.pop("url", URL), **stated)
