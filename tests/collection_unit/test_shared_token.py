"""When hosts forget the token that an earlier deployment gave to all of them."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from fake_systemd import RELEASE, Systemd, running

HOSTS = ("endpoint_new", "endpoint_old", "lb")
OLD = ("endpoint_old", "lb")
UNIT = {"endpoint_new": "network_access_endpoint", "endpoint_old": "network_access_endpoint"}
GROUPS = {"network_access_endpoints": HOSTS[:2], "load_balancers": HOSTS[2:]}
STAT = {"path": "{{ _common_configuration_directory }}/api_token"}


class Deployment:
    """Three hosts that are this machine, of which one has come after the others."""

    def __init__(self, tools: Any, collections: Path, place: Path, systemd: Systemd) -> None:
        self._tools, self._collections, self._place = tools, collections, place
        self._environment = systemd.environment
        for unit in ("network_access_endpoint", "load_balancer"):
            systemd.add(unit)
        self.secret = place / "home" / "secrets" / "api_token"
        for directory in (self.secret.parent, *(place / host for host in OLD)):
            directory.mkdir(parents=True)
            (directory / "api_token").write_text("s" * 43)

    def run(self, started: Sequence[str]) -> str:
        """What the end of a run says in which these agents have started."""
        groups = {
            group: {"hosts": {host: {"ansible_connection": "local"} for host in hosts}}
            for group, hosts in GROUPS.items()
        }
        extra = {
            "ansible_python_interpreter": sys.executable,
            "nrs_secrets_directory": "~/secrets",
            "_common_configuration_directory": f"{self._place}/{{{{ inventory_hostname }}}}",
            "_common_service_units": [],
            "_common_unit": "{{ units[inventory_hostname] | default('load_balancer') }}",
            "_common_release_stamp": RELEASE,
            "units": UNIT,
        }
        plays = [
            self._play(HOSTS, {"ansible.builtin.stat": STAT, "register": "__common_shared_token"}),
            self._play(started, self._role("start.yml")),
            self._play(HOSTS, self._role("forget_shared_token.yml")),
        ]
        for name, content in (("hosts", groups), ("extra", extra), ("plays", plays)):
            (self._place / f"{name}.json").write_text(json.dumps(content))
        hosts, given, play = (self._place / f"{name}.json" for name in ("hosts", "extra", "plays"))
        words = ["ansible-playbook", "-i", hosts, "-e", f"@{given}", play]
        env = {"ANSIBLE_COLLECTIONS_PATH": str(self._collections), "HOME": f"{self._place}/home"}
        return str(self._tools.run(*words, env=env))

    def has(self) -> list[str]:
        """The hosts that have the token still."""
        return [host for host in HOSTS if (self._place / host / "api_token").exists()]

    def _play(self, hosts: Sequence[str], *tasks: dict[str, Any]) -> dict[str, Any]:
        play = {"hosts": list(hosts), "gather_facts": False, "tasks": list(tasks)}
        return {**play, "environment": self._environment}

    @staticmethod
    def _role(tasks: str) -> dict[str, Any]:
        role = {"name": "nrs.network_routing.common", "tasks_from": tasks}
        return {"ansible.builtin.import_role": role}


@pytest.fixture
def deployment(tools: Any, installed: Path, tmp_path: Path) -> Iterator[Deployment]:
    """One in which two hosts and the control node have the token."""
    with running() as systemd:
        yield Deployment(tools, installed, tmp_path, systemd)


def test_all_forget_it_when_a_device_is_there_that_never_had_it(deployment: Deployment) -> None:
    said = deployment.run(HOSTS)
    assert "still take the shared token" not in said
    assert deployment.has() == [] and not deployment.secret.exists()


@pytest.mark.parametrize("missing", HOSTS[:2])
def test_all_keep_it_while_a_device_was_not_in_the_run(
    deployment: Deployment, missing: str
) -> None:
    said = deployment.run([host for host in HOSTS if host != missing])
    assert f"The services still take the shared token, for {missing}: run" in said
    assert deployment.has() == list(OLD) and deployment.secret.exists()
