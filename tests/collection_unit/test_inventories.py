"""The directory of the secrets is one in a run, whatever the number of inventories."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest

ROLE = "nrs.network_routing.common"
LOCAL = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}


class Site:
    """Two hosts in two inventories, and a play that makes what secrets are missing."""

    def __init__(self, tools: Any, installed: Path, cache: Path, place: Path) -> None:
        self._tools, self.place = tools, place
        self._env = {
            "ANSIBLE_COLLECTIONS_PATH": str(installed),
            "ANSIBLE_CALLBACK_RESULT_FORMAT": "json",
        }
        variables = {
            "__common_probe": {"stdout": json.dumps({"files": []})},
            "_common_configuration_directory": str(place / "etc"),
            "nrs_build_directory": str(cache),
            **LOCAL,
        }
        tasks = [
            {"ansible.builtin.import_role": {"name": ROLE, "tasks_from": "generate.yml"}},
            {"ansible.builtin.debug": {"msg": "{{ _common_secrets_directory }} {{ _common_psk }}"}},
        ]
        play = {"hosts": "all", "gather_facts": False, "vars": variables, "tasks": tasks}
        (place / "play.json").write_text(json.dumps([play]))
        for name in ("one", "two"):
            self.inventory(f"{name}/hosts.json", name)

    def inventory(self, file: str, host: str, **given: str) -> None:
        path = self.place / file
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps({"all": {"hosts": {host: LOCAL | given}}}))

    def end(self, *words: str, play: str = "play.json") -> Any:
        given = json.dumps({"_common_hosts": "{{ groups['all'] }}"})
        command = f'cd "{self.place}" && exec ansible-playbook "$@"'
        words = ("sh", "-c", command, "sh", *words, "-e", given, play)
        return self._tools.end(*words, env=self._env)

    def made(self) -> list[str]:
        """Every PSK that there is, by its directory."""
        return sorted(str(p.parent.relative_to(self.place)) for p in self.place.rglob("psk"))


@pytest.fixture
def site(tools: Any, installed: Path, cache: Path, tmp_path: Path) -> Site:
    return Site(tools, installed, cache, tmp_path)


@pytest.mark.parametrize(
    ("inventories", "directory", "hosts"),
    [
        (["one", "two"], "one/.secrets", 2),
        (["two/hosts.json", "one"], "two/.secrets", 2),
        (["."], ".secrets", 2),
        (["here,"], ".secrets", 1),
    ],
)
def test_all_hosts_have_what_was_made_once(
    site: Site, inventories: list[str], directory: str, hosts: int
) -> None:
    if "." in inventories:
        (site.place / "play.json").rename(site.place.parent / f"{site.place.name}.json")
        play = f"../{site.place.name}.json"
    else:
        play = "play.json"
    words = [word for source in inventories for word in ("-i", source)]
    for last in (False, True):
        ended = site.end(*words, *(("--limit", "two") if last and hosts > 1 else ()), play=play)
        assert ended.returncode == 0, ended.stdout
        assert site.made() == [directory]
        psk = (site.place / directory / "psk").read_text().strip()
        told = ended.stdout.count(f"{site.place / directory} {psk}")
        assert told == (1 if last else hosts), ended.stdout


def test_secrets_beside_two_inventories_are_refused(site: Site) -> None:
    for name in ("one", "two"):
        assert site.end("-i", name).returncode == 0
    ended = site.end("-i", "one", "-i", "two")
    assert ended.returncode != 0
    for name in ("one", "two"):
        assert f"{site.place / name}/.secrets" in ended.stdout
    assert "nrs_secrets_directory" in ended.stdout
    chosen = f"nrs_secrets_directory={site.place}/two/.secrets"
    assert site.end("-i", "one", "-i", "two", "-e", chosen).returncode == 0


def test_two_directories_that_the_inventories_name_are_refused(site: Site) -> None:
    site.inventory("two/hosts.json", "two", nrs_secrets_directory="~/mine")
    for name, group in (("one", "load_balancers"), ("two", "routing_servers")):
        path = site.place / name / "hosts.json"
        path.write_text(json.dumps({group: json.loads(path.read_text())["all"]}))
    ended = site.end("-i", "one", "-i", "two", play="nrs.network_routing.site")
    said = " ".join(ended.stdout.split())
    assert "has to be the same for all hosts, and is the default, ~/mine: set it" in said
    assert not (site.place / "etc").exists()
