"""The list of revocations on a host with tunnels: brought, told to the agent, named in its file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from local_host import LocalHost


@pytest.fixture
def host(tools: Any, installed: Path, cache: Path, tmp_path: Path) -> LocalHost:
    """A control node that has made its keys."""
    here = LocalHost(tools, installed, cache, tmp_path)
    here.tasks = ("generate",)
    here.variables["_common_has_own_authority"] = False
    here.deploy(changed=2)
    here.tasks = ("generate", "signers")
    return here


@pytest.mark.parametrize("unit", ["routing_server", "network_access_endpoint"])
def test_a_device_has_the_keys_and_the_list(host: LocalHost, unit: str) -> None:
    host.has(unit)
    host.deploy(changed=1)
    assert (host.etc / "signers").read_text() == (host.secrets / "public_keys").read_text()
    assert not (host.etc / "revocations").exists(), "nothing is revoked yet"
    host.tasks = ("revoke",)
    host.variables["_common_removal"] = {"device_id": "gone_1", "host": "", "naming": []}
    host.variables["_common_removed_group"] = "network_access_endpoints"
    host.deploy(changed=1)
    host.tasks = ("generate", "signers")
    host.deploy(changed=1)
    assert (host.etc / "revocations").read_text() == (host.secrets / "revocations").read_text()
    host.deploy(changed=0)


@pytest.mark.parametrize("role", ["routing_server", "network_access_endpoint"])
def test_its_file_names_them(installed: Path, role: str) -> None:
    (template,) = installed.rglob(f"roles/{role}/templates/{role}.yaml.j2")
    api = template.read_text().partition("\napi:\n")[2]
    assert "  signers_file: {{ _common_signers_file | to_json }}\n" in api
    assert "  revocations_file: {{ _common_revocations_file | to_json }}\n" in api
    (tasks,) = installed.rglob(f"roles/{role}/tasks/configure.yml")
    text = tasks.read_text()
    assert text.index("tasks_from: signers.yml") < text.index("agent_files:"), "checked later"
