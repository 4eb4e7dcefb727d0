"""The playbook that changes the PSK: what it refuses, and what it leaves on the control node."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from local_host import LocalHost

ASKED = f"""#!{sys.executable}
import pathlib
pathlib.Path(__file__).with_name("asked").touch()
print('%s')
"""


@pytest.fixture
def host(tools: Any, installed: Path, cache: Path, tmp_path: Path) -> LocalHost:
    """A routing server whose agent has one endpoint, with the new key."""
    here = LocalHost(tools, installed, cache, tmp_path)
    here.secrets.mkdir()
    tunnels = [{"endpoint_id": "endpoint_1", "key_epoch": 1, "up": True}]
    agent = tmp_path / "nrs"
    agent.write_text(ASKED % json.dumps({"tunnels": tunnels}))
    agent.chmod(0o755)
    here.variables["_common_path_command"] = str(agent)
    here.variables["nrs_key_epoch"] = 1
    return here


def test_it_is_for_all_hosts_at_once(host: LocalHost) -> None:
    host.tasks = ("rotate_psk",)
    assert "--limit leaves hosts with keys of the previous PSK" in host.refused("--limit", "here")
    host.variables["_common_rotation"] = "done"
    assert "is in force. To change it" in host.deploy(changed=0)


def test_what_it_has_put_aside_goes_at_the_end(host: LocalHost) -> None:
    host.tasks = ("forget_previous_psk",)
    for name in ("psk", "previous_psk", "key_epoch"):
        (host.secrets / name).write_text("1\n")
    host.deploy(changed=1)
    assert [file.name for file in host.secrets.iterdir()] == ["psk"]
    assert (host.place / "asked").exists()


def test_without_a_previous_psk_nobody_is_waited_for(host: LocalHost) -> None:
    host.tasks = ("forget_previous_psk",)
    host.deploy(changed=0)
    assert not (host.place / "asked").exists()
