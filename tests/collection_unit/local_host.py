"""Tasks of the role `common` on a host that is this machine, which is its control node too."""

from __future__ import annotations

import getpass
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

_COLLECTION = Path("ansible_collections/nrs/network_routing")
Play = Sequence[Mapping[str, Any]]


class LocalHost:
    """It keeps what the tasks write in `etc`, its control node the deployment's in `secrets`."""

    def __init__(self, tools: Any, collections: Path, cache: Path, place: Path) -> None:
        self.tools, self.place = tools, place
        self._collections, self._cache = collections, cache
        self.secrets, self.etc = place / "secrets", place / "etc"
        self.variables: dict[str, Any] = {
            "ansible_python_interpreter": sys.executable,
            "__common_probe": {"stdout": json.dumps({"files": []})},
            "_common_user": getpass.getuser(),
            "_common_configuration_directory": str(self.etc),
            "nrs_build_directory": str(cache),
            "nrs_secrets_directory": str(self.secrets),
        }
        self.hosts: dict[str, dict[str, Any]] = {"here": {}}
        self.groups: dict[str, list[str]] = {}
        self.tasks: tuple[str, ...] = ()
        self.environment: dict[str, str] = {}
        self.environment_of_run: dict[str, str] = {}
        self.etc.mkdir()

    def has(self, unit: str) -> None:
        """What the tasks write is this unit's, of which a check run says no more."""
        self.variables["_common_unit"] = unit
        self.variables["__common_restarted"] = {"results": [{"item": unit}]}

    def deploy(self, *words: str, changed: int) -> str:
        """Run the tasks; what ansible-playbook said of as many changed ones."""
        said = self.play(self._play(), *words)
        assert f"changed={changed} " in said, said
        return said

    def refused(self, *words: str) -> str:
        """What is said on the host where the tasks fail."""
        given = (*self._words(self._play()), *words)
        run = self.environment_of_run
        (said,) = self.tools.refusals(self._collections, *given, env=run).values()
        return str(said)

    def play(self, play: Play, *words: str) -> str:
        """What ansible-playbook said of a play on the host."""
        given, run = (*self._words(play), *words), self.environment_of_run
        return str(self.tools.playbook(self._collections, *given, env=run))

    def python_path(self) -> str:
        """The agents of the collection, and the libraries that the control node has fetched."""
        (agents,) = (self._collections / _COLLECTION).rglob("files/agents")
        return ":".join([str(agents), *map(str, self._cache.glob("downloads/*/*.whl"))])

    def _play(self) -> Play:
        role = "nrs.network_routing.common"
        imported = [{"name": role, "tasks_from": tasks} for tasks in self.tasks]
        tasks = [{"ansible.builtin.import_role": one} for one in imported]
        play = {"hosts": "all", "gather_facts": False, "tasks": tasks}
        return [{**play, "environment": self.environment}]

    def _words(self, play: Play) -> list[str]:
        local = {"ansible_connection": "local"}
        everybody = {"hosts": {host: local | own for host, own in self.hosts.items()}}
        groups = {name: {"hosts": dict.fromkeys(hosts)} for name, hosts in self.groups.items()}
        for name, content in (
            ("hosts", {"all": everybody, **groups}),
            # The role has some of them as its own, which only these come before.
            ("extra", self.variables),
            ("play", play),
        ):
            (self.place / f"{name}.json").write_text(json.dumps(content))
        hosts, extra, tasks = (f"{self.place}/{name}.json" for name in ("hosts", "extra", "play"))
        return ["-i", hosts, "-e", f"@{extra}", tasks]
