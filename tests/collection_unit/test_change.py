"""A host whose release changes goes back where it does not work, in this run or a later one."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_systemd import Agent, Systemd, running
from local_host import LocalHost, Play

UNIT = "load_balancer"
COMMON = "nrs.network_routing.common"


def imported(tasks: str, **variables: Any) -> dict[str, Any]:
    return {"ansible.builtin.import_role": {"name": COMMON, "tasks_from": tasks}, "vars": variables}


class Host(LocalHost):
    """A load balancer that runs release `old`, with `new` beside it."""

    def __init__(
        self, tools: Any, collections: Path, cache: Path, place: Path, agent: Agent
    ) -> None:
        super().__init__(tools, collections, cache, place)
        self.opt, self.agent = place / "opt", agent
        for name in ("old", "new"):
            release = self.opt / "releases" / name
            (release / "bin").mkdir(parents=True)
            (release / "release").write_text(f"{name}\n")
            (release / "bin" / "nrs").write_text("#!/bin/sh\n")
            (release / "bin" / "nrs").chmod(0o755)
        (self.opt / "current").symlink_to("releases/old")
        self.broken: set[str] = set()
        self.started: list[str] = []
        agent.release = agent.installed = "old"
        agent.starts = self._starts
        (self.etc / f"{UNIT}.yaml").write_text("file of old\n")
        self.variables |= {
            "_common_unit": UNIT,
            "_common_unit_directory": str(agent.file.parent),
            "_common_install_directory": str(self.opt),
            "_common_command": str(self.opt / "current" / "bin" / "nrs"),
            "_common_release_name": "new",
            "_common_units_here": [UNIT],
            "nrs_python": self.variables["ansible_python_interpreter"],
            "nrs_change_settle": 0,
            "__common_change": {"from": "old", "to": "new"},
        }

    def current(self) -> str:
        return (self.opt / "current").resolve().name

    def roll_out(self, *words: str) -> str:
        return self.play(self._rollout(), *words)

    def refused(self, *words: str) -> str:
        given = (*self._words(self._rollout()), *words)
        return str(self.tools.refusals(self._collections, *given)["here"])

    def _starts(self) -> bool:
        self.agent.installed = self.current()
        self.started.append(self.current())
        return self.current() not in self.broken

    def _rollout(self) -> Play:
        """As the roles' rollout.yml, with a file for what they write."""
        agent = {
            "unit": UNIT,
            "release": "new",
            "configuration": f"{self.etc}/{UNIT}.yaml",
            "command": f"{self.opt}/current/bin/nrs",
            "settle": 0,
            "wait": 2,
        }
        copied = {"content": "file of new\n", "dest": f"{self.etc}/{UNIT}.yaml"}
        tasks = [
            imported("change.yml"),
            {"ansible.builtin.copy": copied},
            {"nrs.network_routing.agent": agent},
            imported("changed.yml", _common_settled_release="new"),
        ]
        rescue = [imported("change_failed.yml")]
        play = {"hosts": "all", "gather_facts": False, "environment": self.environment}
        return [{**play, "tasks": [{"block": tasks, "rescue": rescue}]}]


@pytest.fixture
def systemd() -> Iterator[Systemd]:
    with running() as systemd:
        yield systemd


@pytest.fixture
def host(tools: Any, installed: Path, cache: Path, tmp_path: Path, systemd: Systemd) -> Host:
    host = Host(tools, installed, cache, tmp_path, systemd.add(UNIT))
    host.environment = systemd.environment
    return host


def test_a_release_that_works_stays_and_the_one_before_is_kept(host: Host) -> None:
    host.roll_out()
    assert (host.current(), host.agent.release) == ("new", "new")
    assert (host.opt / "previous").resolve().name == "old"
    assert not (host.opt / "unfinished").exists()


def test_a_check_run_leaves_all_as_it_is(host: Host) -> None:
    assert "would go from old to new" in host.roll_out("--check")
    assert (host.current(), host.agent.asked) == ("old", [])
    assert not (host.opt / "unfinished").exists()


def test_one_that_does_not_start_makes_room_for_the_one_before(host: Host) -> None:
    host.broken.add("new")
    said = host.refused()
    assert said.startswith("here runs old again, as the change to new failed: load_balancer does")
    assert (host.current(), host.agent.release) == ("old", "old")
    assert (host.etc / f"{UNIT}.yaml").read_text() == "file of old\n"
    assert not (host.opt / "unfinished").exists()


def test_a_later_run_undoes_what_was_cut_short(host: Host) -> None:
    host.broken |= {"old", "new"}
    host.refused()
    assert (host.opt / "unfinished").is_dir()
    host.broken = {"new"}
    (host.etc / f"{UNIT}.yaml").write_text("of somebody between\n")
    host.refused()
    assert (host.current(), host.agent.release) == ("old", "old")
    assert (host.etc / f"{UNIT}.yaml").read_text() == "file of old\n"


def test_a_change_that_was_cut_short_is_undone_before_another_is_judged_by_what_worked(
    host: Host,
) -> None:
    host.broken |= {"old", "new"}
    said = host.refused()
    assert said.startswith(
        "here does not work by the release before either, after the change to new"
    )
    host.broken.clear()
    host.variables["__common_probe"] = {"stdout": json.dumps({"files": [], "unfinished": "old"})}
    host.roll_out()
    assert host.started[-2:] == ["old", "new"]
    assert (host.opt / "previous").resolve().name == "old"
    assert not (host.opt / "unfinished").exists()


def test_no_other_host_is_tried_where_too_many_were_lost(host: Host) -> None:
    tried = {"__common_change_begun": True}
    host.hosts["lost"] = tried | {"__common_change_ended": False}
    host.hosts["through"] = tried | {"__common_change_ended": True}
    said = host.refused()
    assert "here stays as it is: of the hosts that were tried before it 50.0 %" in said
    assert (host.current(), host.agent.asked) == ("old", [])
