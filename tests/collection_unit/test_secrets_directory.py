"""The directory of the secrets on the control node may be said as from a home directory."""

from __future__ import annotations

import getpass
import json
import sys
from pathlib import Path
from typing import Any

KEPT = {"psk": "k" * 43, "previous_psk": "p" * 43}


def test_what_is_kept_below_a_home_directory_is_found(
    tools: Any, installed: Path, tmp_path: Path
) -> None:
    secrets, etc = tmp_path / "home" / "secrets", tmp_path / "etc"
    for directory in (secrets, etc):
        directory.mkdir(parents=True)
    for name, secret in KEPT.items():
        (secrets / name).write_text(secret + "\n")
    extra = {
        "ansible_python_interpreter": sys.executable,
        "nrs_secrets_directory": "~/secrets",
        "_common_unit": "routing_server",
        # There is no such unit: one that has just been started need not be reloaded.
        "__common_restarted": {"results": [{"item": "routing_server"}]},
        "_common_user": getpass.getuser(),
        "_common_configuration_directory": str(etc),
        "_common_secrets": "{{ ['psk'] + (['previous_psk'] if _common_has_previous_psk else []) }}",
    }
    role = {"name": "nrs.network_routing.common", "tasks_from": "secrets.yml"}
    tasks = [{"ansible.builtin.import_role": role}]
    play = [{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]
    (tmp_path / "play.json").write_text(json.dumps(play))
    words = ["ansible-playbook", tmp_path / "play.json", "-e", json.dumps(extra)]
    env = {"ANSIBLE_COLLECTIONS_PATH": str(installed), "HOME": str(tmp_path / "home")}
    tools.run(*words, env=env)
    assert {path.name: path.read_text().strip() for path in etc.iterdir()} == KEPT
