"""Secrets that stand in the inventory as vaulted text (ansible-vault encrypt_string)."""

from __future__ import annotations

import base64
import json
import secrets
import sys
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest
import yaml
from local_host import LocalHost

CHECKOUT = Path(__file__).resolve().parents[2]
URL = "https://192.0.2.10:8080"
PROBED = {"files": [], "python": "3.11", "has_venv": True, "libc": "glibc", "has_systemd": True}
WRITTEN = {
    "nrs_psk": "_common_psk",
    "nrs_previous_psk": "_common_previous_psk",
    "load_balancer_state_password": "load_balancer_state_password",
}
# What stands for the release on the host: the agents' sources, with what the control node fetches.
PYTHON = """#!/bin/sh
shift
libraries=$(ls {wheels} | tr '\\n' :)
PYTHONDONTWRITEBYTECODE=1 PYTHONPATH={agents}:$libraries exec {python} "$@"
"""
ON_THE_CONTROL_NODE = {".gitignore", "certificates", "issued_tokens", "public_keys"}


class Host(LocalHost):
    """A load balancer's, every secret of which is in a vault."""

    def __init__(self, tools: Any, collections: Path, cache: Path, place: Path) -> None:
        super().__init__(tools, collections, cache, place)
        self.has("load_balancer")
        self.cache = cache
        self.given = {
            "nrs_psk": _random(),
            "nrs_previous_psk": _random(),
            "load_balancer_state_password": _random(),
            "nrs_signing_key": self.key("-algorithm", "ed25519"),
            "nrs_ca_key": self.key("-algorithm", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"),
        }
        self.given["nrs_ca_certificate"] = self._certificate(self.given["nrs_ca_key"])
        self.variables |= {
            "__common_probe": {"stdout": json.dumps(PROBED)},
            "_common_install_directory": str(place / "opt"),
            "_common_urls": [URL],
            "_common_bind_port": 8080,
            "_common_own_certificate_file": "",
            "_common_own_key_file": "",
            "_common_own_key": "",
            "_common_wanted": {"role": "service", "id": "here", "urls": [URL]},
            "nrs_management_address": "192.0.2.10",
            "nrs_python": sys.executable,
        }

    def key(self, *words: str) -> str:
        return str(self.tools.run("openssl", "genpkey", *words))

    def _certificate(self, key: str) -> str:
        file = self.place / "ca_key"
        file.write_text(key)
        extensions = ("-addext", "keyUsage=critical,keyCertSign")
        words = ("-subj", "/CN=Ours", "-days", "90", "-key", file, *extensions)
        made = str(self.tools.run("openssl", "req", "-x509", "-new", *words))
        file.unlink()
        return made

    def vaulted(self) -> list[str]:
        """What gives ansible-playbook the secrets."""
        password, file = self.place / "password", self.place / "vault.yml"
        password.write_text("for this test\n")
        words = ("ansible-vault", "encrypt_string", "--vault-password-file", password)
        given = [self.tools.run(*words, "--name", n, text) for n, text in self.given.items()]
        file.write_text("\n".join(map(_declaration, given)))
        return ["--vault-password-file", str(password), "-e", f"@{file}"]

    def literals(self) -> list[str]:
        """What nobody is to see: each line of the secrets that is not common to all keys."""
        secret = [text for name, text in self.given.items() if "certificate" not in name]
        return [line for text in secret for line in text.splitlines() if "-----" not in line]

    def install_release(self) -> None:
        """As the roles do before tokens are given."""
        python = self.place / "opt" / "current" / "bin" / "python"
        python.parent.mkdir(parents=True)
        agents, wheels = self.python_path().partition(":")[0], f"{self.cache}/downloads/*/*.whl"
        python.write_text(PYTHON.format(agents=agents, wheels=wheels, python=sys.executable))
        python.chmod(0o755)


def _random() -> str:
    """What no other test has on its command line meanwhile."""
    return base64.b64encode(secrets.token_bytes(32)).decode()


def _declaration(said: str) -> str:
    lines = said.splitlines()
    first = next(number for number, line in enumerate(lines) if line.endswith("!vault |"))
    return "\n".join([lines[first], *(line for line in lines[first + 1 :] if line[:1] == " ")])


class Watch:
    """Looks at the command line and the environment of every process while it is open."""

    def __init__(self, literals: Iterable[str]) -> None:
        self._literals = [literal.encode() for literal in literals]
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._look)
        self.seen: set[str] = set()
        self.programs: set[str] = set()

    def __enter__(self) -> Watch:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._ended.set()
        self._thread.join()

    def _look(self) -> None:
        while not self._ended.wait(0.05):
            for file in Path("/proc").glob("[0-9]*/cmdline"):
                try:
                    held = file.read_bytes() + file.with_name("environ").read_bytes()
                except OSError:
                    continue
                self.programs.update(n for n in ("credentials.py",) if n.encode() in held)
                self.seen.update(held.decode() for one in self._literals if one in held)


@pytest.fixture
def host(tools: Any, installed: Path, cache: Path, tmp_path: Path) -> Host:
    return Host(tools, installed, cache, tmp_path)


def test_a_vaulted_secret_is_what_the_host_gets(host: Host) -> None:
    role = "nrs.network_routing.common"
    copies = [
        {"content": f"{{{{ {variable} }}}}", "dest": str(host.etc / name), "mode": "0600"}
        for name, variable in WRITTEN.items()
    ]
    host.hosts["here"] = {"__common_probe": host.variables["__common_probe"]}
    tasks = [{"ansible.builtin.copy": copy, "no_log": True} for copy in copies]
    play = {"hosts": "all", "gather_facts": False, "roles": [role], "tasks": tasks}
    said = host.play([play], "-vvv", *host.vaulted())
    written = {path.name: path.read_text() for path in host.etc.iterdir()}
    assert written == {name: host.given[name] for name in WRITTEN}
    for literal in host.literals():
        assert literal not in said


def test_a_deployment_needs_no_secret_in_a_file(host: Host) -> None:
    vault = host.vaulted()
    host.install_release()
    host.tasks = ("generate", "authority", "signers", "certificate", "tokens")
    before = {path for path in host.place.rglob("*") if path.is_file()}
    with Watch(host.literals()) as watch:
        said = host.deploy("-vvv", "--diff", *vault, changed=7)
    assert watch.programs and not watch.seen
    assert {path.name for path in host.secrets.iterdir()} == ON_THE_CONTROL_NODE
    authorities, certificate = host.etc / "ca.pem", host.etc / "certificate_load_balancer.pem"
    assert authorities.read_text() == host.given["nrs_ca_certificate"]
    host.tools.run("openssl", "verify", "-CAfile", authorities, certificate)
    signer = host.place / "signer"
    signer.write_text(host.given["nrs_signing_key"])
    public = host.tools.run("openssl", "pkey", "-in", signer, "-pubout")
    assert (host.etc / "signers").read_text() == public
    left = [p for p in host.place.rglob("*") if p.is_file() and p != signer and p not in before]
    left += [p for p in host.tools.elsewhere.rglob("*") if p.is_file()]
    for literal in host.literals():
        assert literal not in said
        assert [p for p in left if literal.encode() in p.read_bytes()] == []
    host.deploy(*vault, changed=0)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("nrs_ca_certificate", None),
        ("nrs_ca_key", None),
        ("nrs_ca_key", "no key"),
        ("nrs_psk", "short"),
        ("nrs_signing_key", "no key"),
    ],
)
def test_what_is_no_secret_is_refused_without_being_shown(
    host: Host, name: str, value: str | None
) -> None:
    host.given.pop(name)
    if value is not None:
        host.given[name] = value
    host.tasks = ("preflight", "generate")
    said = host.refused(*host.vaulted())
    assert "nrs_ca_key and nrs_ca_certificate" in said
    assert not host.secrets.exists()


def test_a_key_of_another_ca_is_refused(host: Host) -> None:
    host.given["nrs_ca_key"] = host.key("-algorithm", "ec", "-pkeyopt", "group:P-256")
    host.tasks = ("authority", "certificate")
    said = host.refused(*host.vaulted())
    assert "the CA that was given: the key is not that of the first certificate" in said


@pytest.mark.parametrize("role", [path.name for path in (CHECKOUT / "roles").iterdir()])
def test_no_role_has_its_secrets_looked_at_as_a_module_would(role: str) -> None:
    """With no_log ansible-core 2.18 takes a vaulted value for one of an unknown type."""
    text = (CHECKOUT / "roles" / role / "meta" / "argument_specs.yml").read_text()
    options = yaml.safe_load(text)["argument_specs"]["main"]["options"]
    assert [name for name, option in options.items() if "no_log" in option] == []
