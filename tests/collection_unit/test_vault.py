"""Secrets that stand in the inventory as vaulted text (ansible-vault encrypt_string)."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml
from local_host import LocalHost

CHECKOUT = Path(__file__).resolve().parents[2]
SECRETS = {
    "nrs_psk": base64.b64encode(bytes(range(32))).decode(),
    "nrs_previous_psk": base64.b64encode(bytes(range(32, 64))).decode(),
}
WRITTEN = {"nrs_psk": "_common_psk", "nrs_previous_psk": "_common_previous_psk"}


class Host(LocalHost):
    """One that is prepared already, so that of the role little but its arguments is looked at."""

    def vaulted(self) -> list[str]:
        """What gives ansible-playbook the secrets."""
        password, file = self.place / "password", self.place / "vault.yml"
        password.write_text("for this test\n")
        words = ("ansible-vault", "encrypt_string", "--vault-password-file", password)
        given = [self.tools.run(*words, "--name", name, text) for name, text in SECRETS.items()]
        file.write_text("\n".join(text[text.index("nrs_") :].partition("\nE")[0] for text in given))
        return ["--vault-password-file", str(password), "-e", f"@{file}"]


def test_a_vaulted_secret_is_what_the_host_gets(
    tools: Any, installed: Path, cache: Path, tmp_path: Path
) -> None:
    host = Host(tools, installed, cache, tmp_path)
    role = "nrs.network_routing.common"
    copies = [
        {"content": f"{{{{ {variable} }}}}", "dest": str(host.etc / name), "mode": "0600"}
        for name, variable in WRITTEN.items()
    ]
    tasks = [{"ansible.builtin.copy": copy, "no_log": True} for copy in copies]
    play = {"hosts": "all", "gather_facts": False, "roles": [role], "tasks": tasks}
    said = host.play([play], "-vvv", *host.vaulted())
    assert {path.name: path.read_text() for path in host.etc.iterdir()} == SECRETS
    for secret in SECRETS.values():
        assert secret not in said


@pytest.mark.parametrize("role", [path.name for path in (CHECKOUT / "roles").iterdir()])
def test_no_role_has_its_secrets_looked_at_as_a_module_would(role: str) -> None:
    """With no_log ansible-core 2.18 takes a vaulted value for one of an unknown type."""
    text = (CHECKOUT / "roles" / role / "meta" / "argument_specs.yml").read_text()
    options = yaml.safe_load(text)["argument_specs"]["main"]["options"]
    assert [name for name, option in options.items() if "no_log" in option] == []
