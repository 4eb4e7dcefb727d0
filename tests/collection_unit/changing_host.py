"""A host whose release changes, as the roles' rollout.yml has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from fake_systemd import Agent
from local_host import LocalHost, Play

COMMON = "nrs.network_routing.common"
Task = Mapping[str, Any]


def tasks_of(role: str, tasks: str, **variables: Any) -> dict[str, Any]:
    return {"ansible.builtin.include_role": {"name": role, "tasks_from": tasks}, "vars": variables}


class ChangingHost(LocalHost):
    """One whose agent runs release `old`, with `new` beside it."""

    def __init__(
        self, tools: Any, collections: Path, cache: Path, place: Path, agent: Agent
    ) -> None:
        super().__init__(tools, collections, cache, place)
        self.opt, self.agent, self.unit = place / "opt", agent, agent.unit
        for name in ("old", "new"):
            release = self.opt / "releases" / name
            (release / "bin").mkdir(parents=True)
            (release / "release").write_text(f"{name}\n")
            (release / "bin" / "nrs").write_text("#!/bin/sh\n")
            (release / "bin" / "nrs").chmod(0o755)
        (self.opt / "current").symlink_to("releases/old")
        self.begins: Sequence[Task] = [tasks_of(COMMON, "change.yml")]
        self.ends: Sequence[Task] = [tasks_of(COMMON, "changed.yml")]
        self.broken: set[str] = set()
        self.started: list[str] = []
        agent.release = agent.installed = "old"
        agent.starts = self._starts
        (self.etc / f"{self.unit}.yaml").write_text("file of old\n")
        self.variables |= {
            "_common_unit": self.unit,
            "_common_unit_directory": str(agent.file.parent),
            "_common_install_directory": str(self.opt),
            "_common_command": str(self.opt / "current" / "bin" / "nrs"),
            "_common_release_name": "new",
            "_common_units_here": [self.unit],
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
            "unit": self.unit,
            "release": "new",
            "configuration": f"{self.etc}/{self.unit}.yaml",
            "command": f"{self.opt}/current/bin/nrs",
            "settle": 0,
            "wait": 2,
        }
        copied = {"content": "file of new\n", "dest": f"{self.etc}/{self.unit}.yaml"}
        tasks = [
            *self.begins,
            {"ansible.builtin.copy": copied},
            {"nrs.network_routing.agent": agent},
            *self.ends,
        ]
        rescue = [tasks_of(COMMON, "change_failed.yml")]
        play = {"hosts": "all", "gather_facts": False, "environment": self.environment}
        return [{**play, "tasks": [{"block": tasks, "rescue": rescue}]}]
