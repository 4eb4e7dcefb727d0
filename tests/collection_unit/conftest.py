"""The collection as it is handed on: built, and installed somewhere else."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
SECRET = "not for anybody else"  # noqa: S105
_FAILURE = re.compile(r"^fatal: \[([^]]+)\]: FAILED! => (.+)$", re.MULTILINE)
# In a directory that is packed and in one that is not, at the top and deep inside.
SECRETS = (
    ".secrets/psk",
    ".vault_password",
    "api_token",
    "docs/psk",
    "files/agents/.env",
    "files/agents/api_token",
    "files/agents/nrs/tunnel/psk",
    "inventories/mine/.secrets/api_token",
    "inventories/mine/.secrets/psk",
    "inventories/mine/group_vars/vault.yml",
    "molecule/default/.secrets/psk",
    "playbooks/.secrets/psk",
    "plugins/filter/id_ed25519",
    "roles/common/files/.secrets/psk",
    "roles/common/files/psk",
    "roles/routing_server/vars/vault.yml",
)


class Tools:
    """Runs programs outside of the checkout, with nothing of it in reach but what is named."""

    def __init__(self, elsewhere: Path) -> None:
        self.elsewhere = elsewhere
        self._env = {**os.environ, "HOME": str(elsewhere), "ANSIBLE_HOME": str(elsewhere / "home")}

    def run(self, *words: str | Path, env: Mapping[str, str] | None = None) -> str:
        """What a program printed; a status other than 0 fails the test."""
        ended = self.end(*words, env=env)
        assert ended.returncode == 0, f"{words}: {ended.stdout}"
        return ended.stdout

    def end(
        self, *words: str | Path, env: Mapping[str, str] | None = None
    ) -> subprocess.CompletedProcess[str]:
        """A program that has ended, whatever its status, and what it printed."""
        return subprocess.run(
            [str(word) for word in words],
            cwd=self.elsewhere,
            env={**self._env, **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=60,
            check=False,
        )

    def install(self, collection: Path, into: Path) -> Path:
        """Install an archive or a checkout; returns where the collection then is."""
        words = ("ansible-galaxy", "collection", "install", "--offline", "-p", into, collection)
        self.run(*words, env={"ANSIBLE_COLLECTIONS_PATH": str(into)})
        return into / "ansible_collections" / "nrs" / "network_routing"

    def playbook(
        self, collections: Path, *words: str | Path, env: Mapping[str, str] | None = None
    ) -> str:
        """Run ansible-playbook with one collections directory."""
        return self.run("ansible-playbook", *words, env={**_reaching(collections), **(env or {})})

    def refusals(
        self, collections: Path, *words: str | Path, env: Mapping[str, str] | None = None
    ) -> dict[str, str]:
        """What ansible-playbook fails with on each host; empty where it does not fail."""
        environment = {**_reaching(collections), **(env or {})}
        ended = self.end("ansible-playbook", *words, env=environment)
        failures = dict(_FAILURE.findall(ended.stdout))
        assert bool(failures) == bool(ended.returncode), ended.stdout
        return {host: json.loads(result)["msg"] for host, result in failures.items()}


def _reaching(collections: Path) -> dict[str, str]:
    return {"ANSIBLE_COLLECTIONS_PATH": str(collections), "ANSIBLE_CALLBACK_RESULT_FORMAT": "json"}


@pytest.fixture(scope="session")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Tools:
    """Programs that are run from an empty directory."""
    return Tools(tmp_path_factory.mktemp("elsewhere"))


@pytest.fixture(scope="session")
def checkout(tmp_path_factory: pytest.TempPathFactory, tools: Tools) -> Path:
    """A copy of this checkout in which secrets lie about, some of them known to git."""
    copy = tmp_path_factory.mktemp("checkout")
    git = ("git", "-c", "safe.directory=*", "-C")
    listed = tools.run(*git, CHECKOUT, "ls-files", "-z", "-co", "--exclude-standard")
    for name in filter(None, listed.split("\0")):
        if (CHECKOUT / name).is_file():
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(CHECKOUT / name, copy / name)
    _put(copy, "inventories/committed/.secrets/psk")
    _put(copy, "lab/psk")
    tools.run("git", "init", "--quiet", copy)
    tools.run(*git, copy, "add", "--all")
    for name in SECRETS:
        _put(copy, name)
    return copy


def _put(checkout: Path, name: str) -> None:
    assert not (checkout / name).exists()
    (checkout / name).parent.mkdir(parents=True, exist_ok=True)
    (checkout / name).write_text(SECRET, encoding="utf-8")


@pytest.fixture(scope="session")
def archive(tmp_path_factory: pytest.TempPathFactory, tools: Tools, checkout: Path) -> Path:
    """What bin/build makes of it."""
    place = tmp_path_factory.mktemp("archive")
    tools.run(checkout / "bin" / "build", place)
    (built,) = place.iterdir()
    return built


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory, tools: Tools, archive: Path) -> Path:
    """The collections directory into which the archive is installed, and nothing else."""
    place = tmp_path_factory.mktemp("installed")
    tools.install(archive, place)
    return place


@pytest.fixture(scope="session")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the libraries of the control node are fetched to, once."""
    return tmp_path_factory.mktemp("cache")
