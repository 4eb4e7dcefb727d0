from __future__ import annotations

import ipaddress

import pytest

from nrs.api.auth import Access, check

TOKEN = "t" * 32
LOOPBACK = [ipaddress.ip_network("127.0.0.0/8"), ipaddress.ip_network("::1/128")]


def outcome(
    authorization: str | None = None,
    *,
    remote: str | None = "2001:db8::7",
    reading: bool = False,
    token: str | None = TOKEN,
    trusted: list[ipaddress.IPv4Network | ipaddress.IPv6Network] = LOOPBACK,
) -> Access:
    return check(
        authorization=authorization, remote=remote, reading=reading, token=token, trusted=trusted
    )


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_token_opens(scheme: str) -> None:
    assert outcome(f"{scheme} {TOKEN}") is Access.GRANTED


@pytest.mark.parametrize(
    "stated",
    [
        *["", "Bearer", "Bearer ", f"Basic {TOKEN}", TOKEN, f"Bearer {TOKEN}x"],
        *[f"Bearer {TOKEN[:-1]}", f"Bearer {TOKEN}, Bearer {TOKEN}", "Bearer \xfc\xff"],
    ],
)
@pytest.mark.parametrize("remote", ["2001:db8::7", "127.0.0.1"])
def test_a_wrong_token_is_refused_from_everywhere(stated: str, remote: str) -> None:
    assert outcome(stated, remote=remote, reading=True) is Access.WRONG_TOKEN


@pytest.mark.parametrize("remote", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_loopback_reads_without_a_token_and_does_not_write(remote: str) -> None:
    assert outcome(remote=remote, reading=True) is Access.GRANTED
    assert outcome(remote=remote) is Access.NO_TOKEN


@pytest.mark.parametrize("remote", ["192.0.2.1", "::ffff:192.0.2.1", "fe80::1%eth0", "", None, "x"])
def test_others_need_the_token(remote: str | None) -> None:
    assert outcome(remote=remote, reading=True) is Access.NO_TOKEN
    assert outcome(remote=remote) is Access.NO_TOKEN


def test_a_trusted_network_reads() -> None:
    trusted = [ipaddress.ip_network("192.0.2.0/24")]
    assert outcome(remote="::ffff:192.0.2.1", reading=True, trusted=trusted) is Access.GRANTED
    assert outcome(remote="127.0.0.1", reading=True, trusted=trusted) is Access.NO_TOKEN


@pytest.mark.parametrize("reading", [True, False])
def test_without_a_token_configured_only_loopback_is_served(reading: bool) -> None:
    assert outcome(remote="::1", reading=reading, token=None) is Access.GRANTED
    everyone = [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]
    assert outcome(reading=reading, token=None, trusted=everyone) is Access.UNCONFIGURED
    assert outcome(f"Bearer {TOKEN}", remote="::1", token=None) is Access.WRONG_TOKEN
