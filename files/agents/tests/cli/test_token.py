"""`nrs token keys`, `create` and `list` on real files."""

from __future__ import annotations

import json
import random
import stat
import time
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

import pytest

from nrs.identity import issue, keys, ledger, revocations, token_file
from nrs.identity.credential import CredentialRefused, Role
from nrs.identity.verifier import check

from .conftest import Nrs

URL, OTHER = "https://192.0.2.10:8080", "https://[2001:db8::10]:8090"


@pytest.fixture
def secrets(tmp_path: Path) -> Path:
    return tmp_path / "secrets"


@pytest.fixture
def token(inline: Nrs, secrets: Path) -> Nrs:
    """`nrs token` with this directory, in which there is a signing key."""
    assert inline("token", "keys", "--directory", secrets).returncode == 0
    return lambda command, *rest: inline("token", command, "--directory", secrets, *rest)


def endpoint(*more: object) -> tuple[object, ...]:
    return ("--role", "endpoint", "--id", "endpoint_1", "--service", URL, *more)


@pytest.mark.parametrize("command", [("token", "keys"), ("ca", "init")])
def test_the_directory_may_be_said_once_for_all(
    inline: Nrs, secrets: Path, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]
) -> None:
    monkeypatch.setenv("NRS_SECRETS_DIRECTORY", str(secrets))
    assert inline(*command).returncode == 0
    assert {path.name for path in secrets.iterdir()} & {"signing_key", "ca_key"}


def test_the_keys_are_made_once(nrs: Nrs, secrets: Path) -> None:
    first = nrs("token", "keys", "--directory", secrets)
    key = secrets / "signing_key"
    assert (first.returncode, first.stderr) == (0, f"made {key}\n")
    assert first.stdout == (secrets / "public_keys").read_text()
    assert stat.S_IMODE(key.stat().st_mode) == 0o600
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    before = key.read_bytes()
    again = nrs("token", "keys", "--directory", secrets)
    assert (again.returncode, again.stdout, again.stderr) == (0, first.stdout, "")
    assert key.read_bytes() == before


def test_a_token_for_each_service_in_the_devices_file(token: Nrs, secrets: Path) -> None:
    file = secrets / "tokens"
    addresses = ("--tun-ipv4", "10.10.100.1", "--tun-ipv6", "fd00:100::1")
    done = token("create", *endpoint("--service", OTHER, *addresses, "--file", file))
    assert (done.returncode, done.stderr) == (0, "")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    public, now = keys.read_public(secrets / "public_keys"), time.time()
    for url in (URL, OTHER):
        (one,) = token_file.read(file).tokens_for(url)
        credential = check(one, public, frozenset([url]), now)
        assert (credential.role, credential.id) == (Role.ENDPOINT, "endpoint_1")
        assert credential.tun_ipv4 == IPv4Address("10.10.100.1")
        assert credential.tun_ipv6 == IPv6Address("fd00:100::1")
        assert credential.expires is None
        assert credential.serial in done.stdout
        assert one not in done.stdout


def test_an_operators_token_is_printed_and_ends(token: Nrs, secrets: Path) -> None:
    stated = ("--role", "operator", "--name", "jane", "--service", URL, "--expires", "90d")
    done = token("create", *stated)
    assert (done.returncode, done.stderr) == (0, "")
    public, now = keys.read_public(secrets / "public_keys"), time.time()
    credential = check(done.stdout.rstrip("\n"), public, frozenset([URL]), now)
    assert credential.expires == pytest.approx(now + 90 * 86400, abs=60)
    assert (credential.role, credential.id) == (Role.OPERATOR, "jane")


@pytest.mark.parametrize(
    ("stated", "problem"),
    [
        (("--role", "root"), "'root' is not one of"),
        (("--role", "endpoint"), "--role endpoint takes --id, not --name"),
        (("--role", "endpoint", "--name", "x"), "--role endpoint takes --id, not --name"),
        (("--role", "operator", "--id", "x"), "--role operator takes --name, not --id"),
        (("--role", "operator", "--name", "x"), "--role operator needs --expires, such as 90d"),
        (("--role", "monitor", "--name", "x"), "--role monitor needs --expires, such as 90d"),
        (("--role", "router", "--id", "two words"), "--id: 'two words' must be 1 to 64"),
        (("--role", "router", "--id", "x", "--service", "x"), "'x' is no URL such as"),
        (("--role", "router", "--id", "x", "--service", URL + "/"), "names an instance twice"),
        (("--role", "router", "--id", "x", "--expires", "soon"), "'--expires': 'soon' is no"),
        (("--role", "router", "--id", "x", "--tun-ipv4", "::1"), "'--tun-ipv4'"),
        (("--role", "router", "--id", "x", "--tun-ipv6", "1.2.3.4"), "'--tun-ipv6'"),
        (("--role", "service", "--id", "x", "--tun-ipv6", "::1"), "states no tunnel address"),
    ],
)
def test_what_is_wrong_is_named(
    token: Nrs, secrets: Path, stated: tuple[str, ...], problem: str
) -> None:
    done = token("create", "--service", URL, *stated)
    assert (done.returncode, done.stdout) == (2, "")
    assert problem in done.stderr
    assert not (secrets / "issued_tokens").exists()


def test_without_a_service_or_a_key(inline: Nrs, token: Nrs, tmp_path: Path) -> None:
    done = token("create", "--role", "router", "--id", "router_1")
    assert (done.returncode, "'--service'" in done.stderr) == (2, True)
    elsewhere = ("--directory", tmp_path / "none")
    for command, file in (
        (("create", *endpoint()), "signing_key: no such file; `nrs token keys` makes it"),
        (("list",), "issued_tokens: no such file; no token was made here"),
        (("revoke", "00" * 8), "signing_key: no such file; `nrs token keys` makes it"),
    ):
        done = inline("token", command[0], *elsewhere, *command[1:])
        assert (done.returncode, done.stdout) == (1, "")
        assert done.stderr == f"{tmp_path}/none/{file}\n"
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize(
    ("name", "command"),
    [
        ("signing_key", ("create", *endpoint())),
        ("signing_key", ("keys",)),
        ("public_keys", ("keys",)),
        ("revocations", ("create", *endpoint())),
        ("revocations", ("keys",)),
        ("revocations", ("revoke", "--service", URL)),
        ("issued_tokens", ("create", *endpoint())),
        ("issued_tokens", ("list",)),
    ],
)
def test_a_damaged_file_is_named(
    token: Nrs, secrets: Path, name: str, command: tuple[str, ...]
) -> None:
    (secrets / name).write_text("damaged\n")
    done = token(*command)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"{secrets / name}")
    assert done.stderr.count("\n") == 1


def test_a_file_that_cannot_be_written(token: Nrs, secrets: Path) -> None:
    done = token("create", *endpoint("--file", secrets / "none" / "tokens"))
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"{secrets}/none/tokens: No such file or directory\n"


def test_the_list_has_what_is_good(token: Nrs, secrets: Path) -> None:
    token("create", *endpoint())
    begun = time.time() - 60
    stated = {"role": Role.ENDPOINT, "id": "endpoint_1", "now": begun, "random": random.randbytes}
    with ledger.opened(secrets / "issued_tokens") as opened:
        opened.add([issue.credential(**stated, url=OTHER, lifetime=59.0)])
    token("create", "--role", "router", "--id", "router_1", "--service", URL)

    def listed(*options: str) -> list[tuple[str, str]]:
        rows = json.loads(token("list", "--json", *options).stdout)
        return [(row["id"], row["audience"]) for row in rows]

    first, ended = [("endpoint_1", URL)], [("endpoint_1", OTHER)]
    assert listed() == [*first, ("router_1", URL)]
    assert listed("--id", "endpoint_1") == first
    assert listed("--all") == [*first, *ended, ("router_1", URL)]
    table = token("list", "--all").stdout
    assert [table.count(word) for word in (" good", " ended", " never", URL)] == [2, 1, 2, 2]


def test_changing_the_signing_key(token: Nrs, secrets: Path) -> None:
    def made() -> str:
        return token("create", *endpoint()).stdout.rstrip("\n")

    def is_good(one: str) -> bool:
        try:
            check(one, keys.read_public(secrets / "public_keys"), frozenset([URL]), time.time())
        except CredentialRefused:
            return False
        return True

    before = made()
    serial = json.loads(token("list", "--json").stdout)[0]["serial"]
    assert token("revoke", serial).returncode == 0
    (secrets / "signing_key").rename(secrets / "previous_signing_key")
    done = token("keys")
    assert done.stderr.startswith(f"made {secrets}/signing_key\nsigned {secrets}/revocations anew")
    after = made()
    assert (is_good(before), is_good(after)) == (True, True)
    assert token("keys").stderr == ""
    assert token("keys", "--forget-previous").stdout.count("BEGIN PUBLIC KEY") == 1
    assert (is_good(before), is_good(after)) == (False, True)
    text = (secrets / "revocations").read_text().strip()
    listed = revocations.read(text, keys.read_public(secrets / "public_keys"))
    assert (listed.number, listed.serials) == (2, {serial})


def test_no_key_and_no_listed_token_is_ever_shown(token: Nrs, inline: Nrs, secrets: Path) -> None:
    made = token("create", *endpoint()).stdout.rstrip("\n")
    inline("ca", "init", "--directory", secrets)
    inline("ca", "issue", "192.0.2.10", "--directory", secrets)
    shown = [
        token("keys"),
        token("list", "--all"),
        token("list", "--all", "--json"),
        token("revoke", "--id", "endpoint_1", "--issued-before", "now"),
        token("keys", "--forget-previous"),
        inline("ca", "show", "--directory", secrets),
        inline("ca", "renew", "--force", "--directory", secrets),
        inline("ca", "show", "--directory", secrets, secrets / "ca.pem"),
    ]
    output = made + "".join(done.stdout + done.stderr for done in shown)
    private = [secrets / "signing_key", secrets / "ca_key"]
    private.append(secrets / "certificates" / "192.0.2.10.key")
    assert "PRIVATE" not in output
    for file in private:
        body = file.read_text().splitlines()[1:-1]
        assert body
        assert not any(line in output for line in body)
    assert not any(part in output.replace(made, "") for part in made.split(".")[1:])
    held = "".join(file.read_text() for file in secrets.iterdir() if file.is_file())
    assert made.split(".")[2] not in held


def test_a_clock_that_went_back_makes_no_token_that_is_revoked_already(
    token: Nrs, secrets: Path
) -> None:
    key = keys.read_private(secrets / "signing_key")
    later = revocations.Revocations(1, frozenset(), {"endpoint_1": time.time() + 3600})
    (secrets / "revocations").write_text(revocations.signed(later, key))
    done = token("create", *endpoint())
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "endpoint_1 is revoked until later than this machine's clock says\n"
