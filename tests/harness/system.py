"""Molecule and the whole-system tests, on the hosts of a lab of its own; and what takes longer."""

from __future__ import annotations

from pathlib import Path

from harness import collection, counts, tools
from harness.report import Report
from harness.settings import CHECKOUT, Cache

PART, NIGHTLY = "system", "nightly"
LAB_NAME = "nrstest"
_MOLECULE = ("molecule", "test", "--destroy=never")
_LAB = CHECKOUT / "bin" / "lab"
_PYTEST = ("-m", "pytest", "-v", "-p", "no:cacheprovider", "--durations=5")
_TEST_S = {PART: 500, NIGHTLY: 2400}
"""For one test."""


def run(report: Report, cache: Cache) -> None:
    """Deploy with molecule, test what is deployed, remove it, test what is left."""
    _System(report, cache, PART).run()


def nightly(report: Report, cache: Cache) -> None:
    """What is marked so, on hosts that are deployed without being tested."""
    _System(report, cache, NIGHTLY).run_nightly()


class _System:
    def __init__(self, report: Report, cache: Cache, part: str) -> None:
        self._report, self._part = report, part
        self._ansible = tools.ansible(cache)
        self._env = tools.ansible_environment(cache, self._ansible) | {
            "NRS_LAB_NAME": LAB_NAME,
            "ANSIBLE_COLLECTIONS_PATH": str(collection.link(cache)),
            "ANSIBLE_DISPLAY_OK_HOSTS": "false",
            "ANSIBLE_DISPLAY_SKIPPED_HOSTS": "false",
            "MOLECULE_COMMAND_BORDERS": "false",
            "NRS_HOSTS_BEFORE": str(cache.root / "hosts_before.json"),
        }

    def run(self) -> None:
        try:
            if self._deploy():
                self._pytest("deployed system", "tests/system/deployed", 2100)
                self._pytest("uninstalled system", "tests/system/uninstalled", 300)
                self._step("molecule destroy", self._at_control_node("molecule", "destroy"), 120)
            else:
                self._diagnose()
        finally:
            # From outside the lab's namespaces, so that nothing of it has to stay.
            self._step("lab down", [_LAB, "down"], 120)
        self._pytest("nothing is left", "tests/system/removed", 120)

    def run_nightly(self) -> None:
        try:
            self._step("lab down", [_LAB, "down"], 120)
            if self._step("lab up", [_LAB, "up"], 1800):
                self._pytest("nightly tests", "tests/system/deployed", 7200)
            else:
                self._diagnose()
        finally:
            self._step("lab down", [_LAB, "down"], 120)

    def _deploy(self) -> bool:
        """Hosts, wheels, then molecule's whole sequence but its end."""
        # What an interrupted run left behind is not tested.
        self._step("lab down", [_LAB, "down"], 120)
        playbook = ["-i", "inventories/lab", "playbooks/wheelhouse.yml"]
        return (
            self._step("hosts", [_LAB, "hosts"], 600)
            and self._pytest("bare hosts", "tests/system/bare", 120)
            and self._step("wheels", ["ansible-playbook", *playbook], 600)
            and self._step("molecule", self._at_control_node(*_MOLECULE), 1200)
        )

    def _diagnose(self) -> None:
        """What the hosts say about themselves, beside the failure."""
        self._step("state of the lab", [_LAB, "status"], 120)

    def _at_control_node(self, *words: str) -> list[str | Path]:
        """Molecule's own Ansible there, in place of the lab's."""
        kept = ("PATH", "ANSIBLE_COLLECTIONS_PATH", "ANSIBLE_HOME")
        settings = [f"{key}={self._env[key]}" for key in kept]
        return [_LAB, "ctl", "env", *settings, *words]

    def _step(self, name: str, command: list[str | Path], limit: float) -> bool:
        return self._report.step(
            self._part, name, command, cwd=CHECKOUT, env=self._env, limit=limit
        ).ok

    def _pytest(self, name: str, tests: str, limit: float) -> bool:
        marked = NIGHTLY if self._part == NIGHTLY else f"not {NIGHTLY}"
        chosen = ("-m", marked, f"--timeout={_TEST_S[self._part]}")
        return self._report.step(
            self._part,
            name,
            [self._ansible.python, *_PYTEST, *chosen, tests],
            cwd=CHECKOUT,
            env=self._env,
            limit=limit,
            count=counts.of_pytest,
        ).ok
