"""From hosts to a working system: Ansible, the agents' wheels, the playbooks."""

from __future__ import annotations

from lab import control
from lab.ansible import Playbooks, ensure_venv
from lab.network import Network
from lab.progress import Progress
from lab.settings import Settings

WHEELHOUSE = "playbooks/wheelhouse.yml"
DEPLOYMENT = ("playbooks/site.yml", "playbooks/verify.yml")


def deploy(settings: Settings, network: Network, progress: Progress, *, verbose: bool) -> None:
    """Deploy and verify; raises Failed with the failing step's own words."""
    ensure_venv(settings, progress)
    environment = control.environment(settings) | {"ANSIBLE_NOCOLOR": "true"}
    playbooks = Playbooks(settings, environment, progress, verbose=verbose)
    # Wheels come from a package index, so this one runs where there is a way out.
    playbooks.run(WHEELHOUSE)
    for playbook in DEPLOYMENT:
        playbooks.run(playbook, control.command(network, ()))
