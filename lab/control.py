"""The control node: where Ansible, SSH and curl run, in a namespace with no route out."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import NoReturn

from lab.network import Network
from lab.settings import CHECKOUT, Settings

NAMESPACE = "control"


def environment(settings: Settings, inherited: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment of commands at the control node: the lab's Ansible comes first."""
    return dict(inherited) | {
        "PATH": f"{settings.venv / 'bin'}:{inherited.get('PATH', os.defpath)}",
        "NRS_LAB_ROOT": str(settings.root),
        "NRS_LAB_NAME": settings.name,
        "ANSIBLE_COLLECTIONS_PATH": str(settings.collections),
        "ANSIBLE_HOME": str(settings.root / "ansible"),
    }


def link_collection(settings: Settings) -> None:
    """Make the checkout findable as the collection that it is."""
    link = settings.collections / "ansible_collections" / "nrs" / "network_routing"
    if link.is_symlink() and link.readlink() == CHECKOUT:
        return
    link.parent.mkdir(parents=True, exist_ok=True)
    link.unlink(missing_ok=True)
    link.symlink_to(CHECKOUT)


def command(network: Network, words: Sequence[str]) -> list[str]:
    """Command line that runs words at the control node; raises Failed without a lab."""
    return network.up(NAMESPACE).enter(*words)


def replace_with(settings: Settings, network: Network, words: Sequence[str]) -> NoReturn:
    """Become a command at the control node."""
    whole = command(network, words)
    os.execvpe(whole[0], whole, environment(settings))  # noqa: S606
