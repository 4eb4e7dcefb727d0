"""Ansible at the control node: its venv, and running a playbook with readable progress."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from lab.ansible_output import Failures, heading, recap
from lab.progress import Progress
from lab.settings import CHECKOUT, Settings
from testbed.command import run
from testbed.failed import Failed

REQUIREMENTS = Path(__file__).resolve().parent / "requirements.txt"
INVENTORY = "inventories/lab"


def ensure_venv(settings: Settings, progress: Progress) -> None:
    """A venv with the pinned Ansible; made anew where the pins or the interpreter changed."""
    stamp = settings.venv / "made-from"
    wanted = hashlib.sha256(REQUIREMENTS.read_bytes() + sys.version.encode()).hexdigest()
    if stamp.exists() and stamp.read_text(encoding="ascii") == wanted:
        return
    progress.say("installing Ansible (a few seconds, kept for later)")
    shutil.rmtree(settings.venv, ignore_errors=True)
    # Elsewhere than where it was called: `-m` would take a module `venv` from there.
    run([sys.executable, "-m", "venv", settings.venv], limit=None, cwd=Path("/"))
    pip = [settings.venv / "bin" / "pip", "--disable-pip-version-check", "install", "--quiet"]
    run([*pip, "--requirement", REQUIREMENTS], limit=None)
    stamp.write_text(wanted, encoding="ascii")


class Playbooks:
    """Runs playbooks of the checkout; the whole output goes to a log beside the lab's state."""

    def __init__(
        self,
        settings: Settings,
        environment: Mapping[str, str],
        progress: Progress,
        *,
        verbose: bool,
    ) -> None:
        self._settings = settings
        self._environment = dict(environment)
        self._progress = progress
        self._verbose = verbose

    def run(self, playbook: str, prefix: Sequence[str] = ()) -> None:
        """Run one; raises Failed with what failed. ``prefix`` enters a namespace."""
        self._progress.say(f"playbook {playbook}")
        log = self._settings.state / f"{Path(playbook).stem}.log"
        words = [*prefix, "ansible-playbook", "-i", INVENTORY, playbook]
        failures = Failures()
        with log.open("w", encoding="utf-8") as output:
            process = subprocess.Popen(
                words,
                cwd=CHECKOUT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
            )
            assert process.stdout is not None
            for line in process.stdout:
                output.write(line)
                self._show(line.rstrip())
                failures.add(line.rstrip())
            status = process.wait()
        if status:
            said = "" if self._verbose else failures.text() + "\n"
            raise Failed(f"{playbook} failed (exit {status}), the whole log is {log}\n{said}")

    def _show(self, line: str) -> None:
        if self._verbose:
            print(line, flush=True)
        elif text := heading(line) or recap(line):
            self._progress.say(f"  {text}")
