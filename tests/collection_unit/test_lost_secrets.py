"""No secret is made anew by the role's tasks where a host goes by one already."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from local_host import LocalHost

KINDS = {"psk": "PSK", "signers": "signing key", "ca.pem": "CA"}
LEFT = {"psk": "previous_psk", "signers": "public_keys", "ca.pem": "ca.pem"}


class Host(LocalHost):
    """One that is all of a run; another one of the inventory is not in it."""

    def __init__(self, tools: Any, collections: Path, cache: Path, place: Path) -> None:
        super().__init__(tools, collections, cache, place)
        self.tasks = ("generate",)
        self.hosts["other"] = {}
        self.variables["_common_hosts"] = ["here", "other"]

    def has_files(self, *names: str) -> None:
        """What was found on the host of the run; `etc` is what the other one has."""
        self.variables["__common_probe"] = {"stdout": json.dumps({"files": names})}

    def made(self) -> set[str]:
        """The secrets of the control node."""
        found = self.secrets.iterdir() if self.secrets.exists() else ()
        return {path.name for path in found} & {"psk", "signing_key"}


@pytest.fixture
def host(tools: Any, installed: Path, cache: Path, tmp_path: Path) -> Host:
    return Host(tools, installed, cache, tmp_path)


def test_what_no_host_has_is_made_once(host: Host) -> None:
    host.deploy("--limit", "here", changed=2)
    assert host.made() == {"psk", "signing_key"}
    host.has_files(*KINDS)
    host.variables["_common_has_own_authority"] = False
    host.deploy("--limit", "here", changed=0)


@pytest.mark.parametrize("name", KINDS)
@pytest.mark.parametrize("where", ["here", "other"])
def test_a_kind_that_a_host_has_is_to_be_restored(host: Host, name: str, where: str) -> None:
    if where == "here":
        host.has_files(name)
    else:
        (host.etc / name).touch()
    said = host.refused("--limit", "here")
    assert f"does not have: {KINDS[name]} ({where}). Restore {host.secrets} from its" in said
    assert host.made() == set()
    host.refused("--limit", "here", "--check")
    host.deploy("--limit", "here", "-e", "nrs_new_secrets=true", changed=2)


@pytest.mark.parametrize(
    "silent",
    [
        {"ansible_connection": "ssh", "ansible_host": "127.0.0.1", "ansible_port": 1},
        {
            "ansible_become": True,
            "ansible_become_user": "nobody",
            "ansible_become_exe": "/bin/false",
        },
    ],
    ids=["unreachable", "root is refused"],
)
def test_a_host_that_cannot_be_asked_is_named(host: Host, silent: dict[str, Any]) -> None:
    host.hosts["other"] = silent
    said = host.refused("--limit", "here")
    assert "The control node has no PSK, signing key, CA, and hosts that may" in said
    assert "cannot be asked: other. Run it again" in said and "-e nrs_new_secrets=true" in said
    assert host.made() == set()
    host.deploy("--limit", "here", "-e", "nrs_new_secrets=true", changed=2)
    host.variables["_common_has_own_authority"] = False
    host.deploy("--limit", "here", changed=0)


def test_one_whose_files_cannot_be_listed_is_named(host: Host) -> None:
    (host.place / "ls").write_text("#!/bin/sh\necho 'Permission denied' >&2\nexit 2\n")
    (host.place / "ls").chmod(0o755)
    host.environment = {"PATH": f"{host.place}:/usr/bin:/bin"}
    assert "cannot be asked: other. Run it again" in host.refused("--limit", "here")
    host.etc.rmdir()
    host.deploy("--limit", "here", changed=2)


@pytest.mark.parametrize("has", [(), ("psk",)])
def test_hosts_of_a_later_batch_are_asked(host: Host, has: tuple[str, ...]) -> None:
    probed = host.variables.pop("__common_probe")
    host.hosts["here"] = {"__common_probe": probed}
    for name in has:
        (host.etc / name).touch()
    if has:
        assert "does not have: PSK (other). Restore" in host.refused()
    else:
        host.deploy(changed=2)


@pytest.mark.parametrize("name", KINDS)
def test_a_secret_that_is_being_changed_is_not_lost(host: Host, name: str) -> None:
    host.has_files(name)
    host.secrets.mkdir()
    left = host.secrets / LEFT[name]
    if name == "signers":
        key = host.secrets / "key"
        host.tools.run("openssl", "genpkey", "-algorithm", "ed25519", "-out", key)
        host.tools.run("openssl", "pkey", "-in", key, "-pubout", "-out", left)
    else:
        left.write_text("k" * 43)
    host.deploy("--limit", "here", changed=2)


def test_a_secret_from_a_vault_is_not_lost(host: Host) -> None:
    host.has_files("psk")
    host.variables["nrs_psk"] = "k" * 43
    host.deploy("--limit", "here", changed=1)
