"""A host's tokens by the role's tasks, on this machine: made when they are needed, never shown."""

from __future__ import annotations

import base64
import json
import re
import stat
import sys
from pathlib import Path
from typing import Any

import pytest
from local_host import LocalHost

BALANCER, CONTROLLER = "https://192.0.2.10:8080", "https://192.0.2.11:8090"
# What stands for the release on the host: the agents' sources, with the control node's libraries.
PYTHON = """#!/bin/sh
shift
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={path} exec {python} "$@"
"""
REVOKE = (
    "-c",
    "import sys, time; from pathlib import Path; from nrs.cli.deployment import Deployment;"
    " of = Deployment(Path(sys.argv[1]));"
    " of.keep(of.revocations().with_id('endpoint_1', time.time()))",
)


class Host(LocalHost):
    """That of an endpoint."""

    def __init__(self, tools: Any, collections: Path, cache: Path, place: Path) -> None:
        super().__init__(tools, collections, cache, place)
        self.tasks = ("generate", "tokens")
        self.file = self.etc / "api_tokens_endpoint"
        self.has("endpoint")
        self.variables |= {
            "_common_install_directory": str(place / "opt"),
            "_common_wanted": {
                "role": "endpoint",
                "id": "endpoint_1",
                "urls": [BALANCER, CONTROLLER],
                "tun_ipv4": "10.10.100.1/24",
                "tun_ipv6": "",
            },
            "nrs_psk": base64.b64encode(bytes(range(32))).decode(),
        }

    def install_release(self) -> None:
        """As the roles do before tokens are given."""
        python = self.place / "opt" / "current" / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.write_text(PYTHON.format(path=self.python_path(), python=sys.executable))
        python.chmod(0o755)

    def revoke(self) -> None:
        """Revoke what the host was given until this moment."""
        python = self.place / "opt" / "current" / "bin" / "python"
        self.tools.run(python, "-I", *REVOKE, self.secrets)

    def tokens(self) -> list[dict[str, Any]]:
        """What those in the file say, which is not shown to others."""
        assert stat.S_IMODE(self.file.stat().st_mode) == 0o600
        lines = [line for line in self.file.read_text().splitlines() if line[0] != "#"]
        return [json.loads(base64.urlsafe_b64decode(line.split(".")[1] + "===")) for line in lines]

    def issued(self) -> list[str]:
        """The serials in the ledger."""
        ledger = self.secrets / "issued_tokens"
        found = ledger.read_text().splitlines() if ledger.exists() else []
        return [json.loads(line)["issued"]["jti"] for line in found]


@pytest.fixture
def host(tools: Any, installed: Path, cache: Path, tmp_path: Path) -> Host:
    """One that has tokens."""
    host = Host(tools, installed, cache, tmp_path)
    host.deploy("--check", changed=2)
    assert host.issued() == [] and not host.file.exists()
    assert not (host.secrets / "signing_key").exists()
    host.install_release()
    said = host.deploy("-vvv", "--diff", changed=2)
    for line in host.file.read_text().splitlines()[1:]:
        assert line not in said and line.split(".")[2] not in said
    return host


def test_a_host_has_a_token_for_each_service_and_keeps_it(host: Host) -> None:
    before = host.file.read_text()
    assert [token["aud"] for token in host.tokens()] == [BALANCER, CONTROLLER]
    for token in host.tokens():
        said = {name: token[name] for name in ("role", "sub", "tun_ipv4")}
        assert said == {"role": "endpoint", "sub": "endpoint_1", "tun_ipv4": "10.10.100.1"}
        assert "tun_ipv6" not in token and "exp" not in token
    assert [token["jti"] for token in host.tokens()] == host.issued()
    host.deploy(changed=0)
    host.deploy("--check", changed=0)
    assert host.file.read_text() == before and len(host.issued()) == 2


def test_it_gets_others_only_when_it_needs_them(host: Host) -> None:
    def renewed(why: str) -> None:
        before = host.file.read_text()
        assert why in host.deploy("--check", changed=1)
        assert host.file.read_text() == before
        assert why in host.deploy(changed=1)
        assert host.file.read_text() != before
        host.deploy(changed=0)

    host.variables["_common_wanted"]["tun_ipv4"] = "10.10.100.2"
    renewed("for another role, id or address")
    host.variables["_common_wanted"]["urls"] = [CONTROLLER]
    renewed("not a service that it calls")
    host.revoke()
    renewed("revoked")
    (host.secrets / "signing_key").rename(host.secrets / "signing_key.before")
    host.deploy(changed=2)  # the key, and the tokens under it
    host.deploy(changed=0)
    host.file.write_text("x" * 43 + "\n")
    renewed("no token of the present signing key")
    host.file.unlink()
    assert "there are none" in host.deploy(changed=1)
    host.variables["nrs_token_renew_days"] = 1e-6
    assert re.search(r": 0 days old", host.deploy(changed=1))


def test_a_signing_key_from_a_vault_is_used_and_not_kept(
    tools: Any, installed: Path, cache: Path, tmp_path: Path
) -> None:
    host = Host(tools, installed, cache, tmp_path)
    pem = tools.run("openssl", "genpkey", "-algorithm", "ed25519")
    host.variables["nrs_signing_key"] = pem
    host.deploy("--check", changed=2)
    host.install_release()
    said = host.deploy("-vvv", changed=2)
    assert pem.splitlines()[1] not in said
    assert not (host.secrets / "signing_key").exists()
    host.deploy(changed=0)


def test_a_key_of_another_kind_is_refused_by_name(
    tools: Any, installed: Path, cache: Path, tmp_path: Path
) -> None:
    host = Host(tools, installed, cache, tmp_path)
    pem = tools.run("openssl", "genpkey", "-algorithm", "x25519")
    host.variables["nrs_signing_key"] = pem
    said = host.refused()
    assert "the signing key that was given is a private key, but not of Ed25519" in said
    assert pem.splitlines()[1] not in said


def test_a_play_makes_a_token_for_itself(host: Host) -> None:
    lookup = f"lookup('nrs.network_routing.api_token', '{BALANCER}', role='monitor', id='verify')"
    written = host.etc / "made"
    copy = {"content": f"{{{{ {lookup} }}}}", "dest": str(written), "mode": "0600"}
    task = {"ansible.builtin.copy": copy, "no_log": True, "diff": False}
    before = host.issued()
    host.play([{"hosts": "all", "gather_facts": False, "tasks": [task]}])
    host.file = written
    (token,) = host.tokens()
    assert (token["role"], token["sub"], token["aud"]) == ("monitor", "verify", BALANCER)
    assert token["exp"] - token["iat"] == 300
    assert host.issued() == [*before, token["jti"]]
