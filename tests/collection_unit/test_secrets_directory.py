"""The directory of the secrets on the control node may be said as from a home directory."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

KEPT = {"psk": "k" * 43, "previous_psk": "p" * 43}
ROLE = Path("ansible_collections/nrs/network_routing/roles/common")


def test_what_is_kept_below_a_home_directory_is_found(
    tools: Any, installed: Path, tmp_path: Path
) -> None:
    secrets = tmp_path / "home" / "secrets"
    secrets.mkdir(parents=True)
    for name, secret in KEPT.items():
        (secrets / name).write_text(secret + "\n")
    extra = {"ansible_python_interpreter": sys.executable, "nrs_secrets_directory": "~/secrets"}
    assertion = [f"_common_{name} == '{secret}'" for name, secret in KEPT.items()]
    play = {
        "hosts": "localhost",
        "gather_facts": False,
        "vars_files": [str(installed / ROLE / "vars" / "main.yml")],
        "tasks": [{"ansible.builtin.assert": {"that": assertion}}],
    }
    (tmp_path / "play.json").write_text(json.dumps([play]))
    words = ["ansible-playbook", tmp_path / "play.json", "-e", json.dumps(extra)]
    env = {"ANSIBLE_COLLECTIONS_PATH": str(installed), "HOME": str(tmp_path / "home")}
    tools.run(*words, env=env)
