"""`nrs device` on real files: tunnels that are revoked, and tokens with them."""

from __future__ import annotations

from pathlib import Path

import pytest

from nrs.identity import keys
from nrs.identity.revocations import Revocations, read
from nrs.identity.revoked_tunnels import GENERATIONS, RevokedTunnels

from .conftest import Nrs

URL = "https://192.0.2.10:8080"


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    return tmp_path / "secrets"


@pytest.fixture
def device(inline: Nrs, secrets: Path) -> Nrs:
    assert inline("token", "keys", "--directory", secrets).returncode == 0
    made = ("--role", "endpoint", "--id", "endpoint_1", "--service", URL)
    assert inline("token", "create", "--directory", secrets, *made).returncode == 0
    return lambda command, *rest: inline("device", command, "--directory", secrets, *rest)


def listed(secrets: Path) -> Revocations:
    text = (secrets / "revocations").read_text().strip()
    return read(text, keys.read_public(secrets / "public_keys"))


def test_an_endpoint_loses_its_keys_and_its_tokens(device: Nrs, secrets: Path) -> None:
    done = device("revoke", "endpoint_1", "--below", 2)
    assert (done.returncode, done.stderr) == (0, "")
    assert "of endpoint endpoint_1 for " + URL in done.stdout
    assert done.stdout.endswith(f"{secrets}/revocations is list number 1\n")
    found = listed(secrets)
    assert found.tunnels == RevokedTunnels({"endpoint_1": 2})
    assert set(found.issued_before) == {"endpoint_1"}
    device("revoke", "endpoint_1", "--below", 1)
    assert listed(secrets).tunnels == RevokedTunnels({"endpoint_1": 2}), "never less"


def test_a_router_and_epochs(device: Nrs, secrets: Path) -> None:
    assert "no token of router_1" in device("revoke", "router_1", "--router").stderr
    device("revoke", "--epochs-below", 4)
    device("revoke", "--epochs-below", 4)
    found = listed(secrets)
    assert found.number == 2
    assert found.tunnels == RevokedTunnels(routers=frozenset(["router_1"]), epochs_below=4)
    device("revoke", "endpoint_1", "--below", GENERATIONS)
    assert device("list").stdout.splitlines() == [
        "endpoint endpoint_1: all keys",
        "router router_1",
        "key epochs before 4",
    ]


def test_the_epoch_in_use_is_spared(device: Nrs, secrets: Path) -> None:
    (secrets / "key_epoch").write_text("3\n")
    refused = device("revoke", "--epochs-below", 4)
    assert refused.returncode == 1
    assert f"the keys in use are of epoch 3 ({secrets}/key_epoch)" in refused.stderr
    assert not (secrets / "revocations").exists()
    assert device("revoke", "--epochs-below", 3).returncode == 0


def test_who_is_readmitted_is_off_the_next_list(device: Nrs, secrets: Path) -> None:
    device("revoke", "endpoint_1", "--below", 2)
    device("revoke", "router_1", "--router")
    before = listed(secrets)
    assert device("readmit", "router_1").returncode == 0
    found = listed(secrets)
    assert (found.number, found.tunnels) == (3, RevokedTunnels({"endpoint_1": 2}))
    assert found.issued_before == before.issued_before, "its tokens stay revoked"
    device("readmit", "nobody")
    assert listed(secrets).number == 4, "what services refuse by themselves ends with it"


@pytest.mark.parametrize(
    "words",
    [
        ("endpoint_1",),
        ("endpoint_1", "--below", 1, "--router"),
        ("endpoint_1", "--below", 0),
        ("endpoint_1", "--below", GENERATIONS + 1),
        ("endpoint_1", "--epochs-below", 1),
        ("--epochs-below", 256),
        ("--below", 1),
        ("--router",),
        ("e 1", "--below", 1),
        ("endpoint_1", "--below", 1, "--service", "nowhere"),
    ],
    ids=str,
)
def test_what_it_does_not_take(device: Nrs, secrets: Path, words: tuple[object, ...]) -> None:
    assert device("revoke", *words).returncode == 2
    assert not (secrets / "revocations").exists()
