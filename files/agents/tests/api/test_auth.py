from __future__ import annotations

import ipaddress
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from nrs.api.auth import Trust, Unidentified
from nrs.config.service_api import LOOPBACK
from nrs.identity import issue, revocations
from nrs.identity.credential import Role
from nrs.identity.revocation_file import RevocationFile
from nrs.identity.revocations import Revocations
from nrs.identity.verifier import Verifier
from tests.api.callers import NOW, URL, bearer, credential, shared, signed

SECRET = "t" * 32
FAR = "2001:db8::7"


def role(
    trust: Trust,
    authorization: str | None = None,
    *,
    remote: str | None = FAR,
    reading: bool = False,
    now: float = NOW,
) -> Role:
    return trust.identify(authorization=authorization, remote=remote, reading=reading, now=now).role


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_shared_secret_opens(scheme: str) -> None:
    assert role(shared(SECRET), f"{scheme} {SECRET}") is Role.OPERATOR


@pytest.mark.parametrize(
    "stated",
    [
        *["", "Bearer", "Bearer ", f"Basic {SECRET}", SECRET, f"Bearer {SECRET}x"],
        *[f"Bearer {SECRET[:-1]}", f"Bearer {SECRET}, Bearer {SECRET}", "Bearer \xfc\xff"],
    ],
)
@pytest.mark.parametrize("remote", [FAR, "127.0.0.1"])
@pytest.mark.parametrize("trust", [shared(SECRET), signed(), Trust()])
def test_a_wrong_token_is_refused_from_everywhere(stated: str, remote: str, trust: Trust) -> None:
    with pytest.raises(Unidentified, match=r"bearer token is (not valid|required)"):
        role(trust, stated, remote=remote, reading=True)


@pytest.mark.parametrize("remote", ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"])
def test_networks_of_readers_read_and_do_not_write(remote: str) -> None:
    assert role(shared(SECRET), remote=remote, reading=True) is Role.MONITOR
    with pytest.raises(Unidentified):
        role(shared(SECRET), remote=remote)


@pytest.mark.parametrize("remote", ["192.0.2.1", "::ffff:192.0.2.1", "fe80::1%eth0", "", None, "x"])
@pytest.mark.parametrize("reading", [True, False])
def test_others_need_a_token(remote: str | None, reading: bool) -> None:
    with pytest.raises(Unidentified):
        role(shared(SECRET), remote=remote, reading=reading)


@pytest.mark.parametrize("remote", ["127.0.0.1", "::1"])
def test_where_tokens_are_signed_loopback_reads_only_if_it_may(remote: str) -> None:
    with pytest.raises(Unidentified):
        role(signed(), remote=remote, reading=True)
    open_ = Trust(verifier=signed().verifier, readers=LOOPBACK)
    assert role(open_, remote=remote, reading=True) is Role.MONITOR
    with pytest.raises(Unidentified):
        role(open_, remote=remote)


@pytest.mark.parametrize("reading", [True, False])
def test_without_keys_only_loopback_is_served(reading: bool) -> None:
    assert role(Trust(), remote="::1", reading=reading) is Role.OPERATOR
    everyone = [ipaddress.ip_network("0.0.0.0/0"), ipaddress.ip_network("::/0")]
    with pytest.raises(Unidentified, match="signers_file"):
        role(Trust(readers=everyone), reading=reading)


@pytest.mark.parametrize("stated", list(Role))
def test_a_signed_token_says_who_calls(stated: Role) -> None:
    made = credential(stated, "router_1")
    caller = signed().identify(
        authorization=bearer(made)["Authorization"], remote=FAR, reading=False, now=NOW
    )
    assert (caller.role, caller.credential) == (stated, made)


def test_the_token_of_a_sibling_opens_nothing() -> None:
    stated = bearer(credential(Role.OPERATOR, "ann", url="https://192.0.2.99:8080"))
    with pytest.raises(Unidentified, match="another service"):
        role(signed(), stated["Authorization"])


def test_the_token_of_another_deployment_opens_nothing() -> None:
    stated = bearer(credential(Role.OPERATOR, "ann"), Ed25519PrivateKey.generate())
    with pytest.raises(Unidentified, match="not signed by this deployment"):
        role(signed(), stated["Authorization"])


def test_a_token_ends() -> None:
    stated = bearer(credential(Role.OPERATOR, "ann"))["Authorization"]
    assert role(signed(), stated, now=NOW + 3599) is Role.OPERATOR
    with pytest.raises(Unidentified, match="expired on"):
        role(signed(), stated, now=NOW + 3600)


def test_a_revoked_token_opens_nothing_from_then_on(tmp_path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    kept = RevocationFile(tmp_path / "revocations", [key.public_key()])
    trust = Trust(Verifier([key.public_key()], [URL]), kept)
    made = credential(Role.ENDPOINT, "endpoint_1")
    stated = f"Bearer {issue.token(made, key)}"
    assert role(trust, stated) is Role.ENDPOINT
    kept.take(revocations.signed(Revocations().with_serials([made.serial]), key))
    with pytest.raises(Unidentified, match="revoked"):
        role(trust, stated)


@pytest.mark.parametrize(
    "host",
    ["localhost", "LOCALHOST:8080", "127.0.0.1:8080", "[::1]:8080", "192.0.2.10", "lb1:8080"],
)
def test_hosts_that_the_service_is(host: str) -> None:
    assert Trust(names=frozenset({"localhost", "lb1"})).serves_as(host)


@pytest.mark.parametrize(
    "host", ["", "evil.example", "lb1.evil.example:8080", "lb2", "1.evil", "."]
)
def test_a_name_that_somebody_points_here_is_not_served(host: str) -> None:
    assert not Trust(names=frozenset({"localhost", "lb1"})).serves_as(host)


def test_while_devices_change_over_the_shared_secret_opens_too() -> None:
    both = Trust(verifier=signed().verifier, secret=SECRET)
    made = bearer(credential(Role.ROUTER, "router_1"))["Authorization"]
    assert role(both, f"Bearer {SECRET}") is Role.OPERATOR
    assert role(both, made) is Role.ROUTER
    with pytest.raises(Unidentified, match="shared secret is not accepted"):
        role(signed(), f"Bearer {SECRET}")
    with pytest.raises(Unidentified, match="shared secret is not accepted"):
        role(both, f"Bearer {SECRET}x")
